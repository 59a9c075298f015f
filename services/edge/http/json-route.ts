import { Code } from '@connectrpc/connect';
import { toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import type { Admit } from '../admission/admission.ts';
import type { RunningCalls } from '../admission/running-calls.ts';
import type { EdgeLimits } from './limits.ts';

/** What the JSON routes share. */
export interface JsonRouteDeps {
  admit: Admit;
  running: RunningCalls;
  limits: EdgeLimits;
  log: Logger;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** Adds the error with which a request ended to its line in the log, and to its count. */
  ended(request: NodeRequest, error: unknown): void;
}

/** Serves a route that is not an rpc. Never rejects. */
export type JsonRoute = (request: NodeRequest, response: NodeResponse) => Promise<void>;

/** Notes the failure of a request, and logs it if it is a bug; all others are the caller's to know. */
export function noteFailure({ log, ended }: JsonRouteDeps, route: string, request: NodeRequest, thrown: unknown): void {
  ended(request, thrown);
  const error = toRpcError(thrown);
  if (error.code === Code.Internal) log.error({ route, err: error.cause ?? error }, 'request failed');
}
