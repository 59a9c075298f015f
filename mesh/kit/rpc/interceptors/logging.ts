import { Code } from '@connectrpc/connect';
import { errorInfoOf, toRpcError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Observer } from './observe.ts';

/** Logs each call as an event when it is over: bugs as errors with their cause, all else at debug. Never messages. */
export function loggingObserver(log: Logger): Observer {
  return ({ method }) => {
    const startedAt = performance.now();
    return (thrown) => {
      const isBug = thrown !== undefined && toRpcError(thrown).code === Code.Internal;
      if (!isBug && !log.isLevelEnabled('debug')) return;
      const fields = {
        rpc: `${method.parent.typeName}/${method.name}`,
        ms: Math.round((performance.now() - startedAt) * 100) / 100,
      };
      if (thrown === undefined) return log.debug(fields, 'rpc finished');
      const error = toRpcError(thrown);
      const failure = { ...fields, code: Code[error.code], reason: errorInfoOf(error)?.reason };
      if (isBug) log.error({ ...failure, err: error.cause ?? error }, 'rpc failed');
      else log.debug({ ...failure, message: error.rawMessage }, 'rpc failed');
    };
  };
}
