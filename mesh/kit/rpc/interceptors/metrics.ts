import { Code } from '@connectrpc/connect';
import { toRpcError } from '../../base/errors.ts';
import type { Metrics } from '../../base/metrics.ts';
import type { Observer } from './observe.ts';

/** Counts each call with its code, and how long it took. */
export function metricsObserver(metrics: Metrics): Observer {
  return ({ method }) => {
    const startedAt = performance.now();
    return (thrown) => {
      const code = thrown === undefined ? 'OK' : (Code[toRpcError(thrown).code] ?? 'Unknown');
      metrics.rpcTotal.inc({ service: method.parent.typeName, method: method.name, code });
      metrics.rpcMs.observe({ service: method.parent.typeName }, performance.now() - startedAt);
    };
  };
}
