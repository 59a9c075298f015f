import { Code } from '@connectrpc/connect';
import { cancelled, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Admit } from '../admission/admission.ts';
import type { RunningCalls } from '../admission/running-calls.ts';
import type { EdgeLimits } from './limits.ts';
import type { NodeRequest, NodeResponse } from './port.ts';

/** What the JSON routes share. */
export interface JsonRouteDeps {
  admit: Admit;
  running: RunningCalls;
  limits: EdgeLimits;
  log: Logger;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
}

/** Serves a route that is not an rpc. Never rejects. */
export type JsonRoute = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/** The work for a response. */
export interface Work {
  /** Aborts when the client goes away before the response has ended, and by `abort`. */
  signal: AbortSignal;
  /** Ends what was begun for the response; call it where the response fails for a reason of its own. */
  abort(): void;
}

/** Ties work to a response. */
export function workFor(response: NodeResponse): Work {
  const controller = new AbortController();
  response.once('close', () => {
    // Not "finished": a stream that its client resets is finished as well.
    if (!response.writableEnded) controller.abort(cancelled());
  });
  return { signal: controller.signal, abort: () => controller.abort(cancelled()) };
}

/** Logs a failure that is a bug; all others are the caller's to know. */
export function logBug(log: Logger, route: string, thrown: unknown): void {
  const error = toRpcError(thrown);
  if (error.code === Code.Internal) log.error({ route, err: error.cause ?? error }, 'request failed');
}
