import { Code } from '@connectrpc/connect';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { NodeRequest, NodeResponse } from '#kit/http/server/port.ts';
import type { Caller } from '../credentials/authenticate.ts';

/** One log line for each request that the edge has served. */
export interface AccessLog {
  /** Begins the entry of a request; its line is written when the response has ended. */
  begin(request: NodeRequest, response: NodeResponse, route: string): void;
  /** Adds the caller. */
  admitted(request: NodeRequest, caller: Caller): void;
  /** Adds the result of a call, which the HTTP status of a stream does not show; `undefined`: it succeeded. */
  ended(request: NodeRequest, error: unknown): void;
  /** Returns the code of the result; `undefined` if none was added. */
  codeOf(request: NodeRequest): Code | 0 | undefined;
}

/** What the log is written with. */
export interface AccessLogDeps {
  log: Logger;
  random: () => number;
  /** Returns the share of requests that are logged, from 0 to 1. */
  ratio(): number;
}

interface Entry {
  caller?: Caller;
  /** 0: it succeeded. */
  code?: Code | 0;
  reason?: string;
}

/** Creates the log. A request that failed because of the server (an HTTP status from 500, or an internal error) is always logged. */
export function createAccessLog({ log, random, ratio }: AccessLogDeps): AccessLog {
  const entries = new WeakMap<NodeRequest, Entry>();
  return {
    begin(request, response, route) {
      const entry: Entry = {};
      entries.set(request, entry);
      const startedAt = performance.now();
      const sentBytes = countBytes(response);
      const fields = {
        event: 'request',
        method: request.method,
        route,
        trace_id: response.getHeader('x-trace-id'),
        request_id: response.getHeader('x-request-id'),
      };
      response.once('close', () => {
        const { caller, reason } = entry;
        const status = response.statusCode;
        const result = entry.code ?? (response.writableEnded ? undefined : Code.Canceled);
        const code = result === undefined ? undefined : codeName(result);
        const isFault = status >= 500 || code === 'internal' || code === 'unknown';
        if (!isFault && random() >= ratio()) return;
        log.info(
          {
            ...fields,
            status,
            ...(code === undefined ? {} : { code }),
            ...(reason === undefined ? {} : { reason }),
            ms: Math.round((performance.now() - startedAt) * 10) / 10,
            bytes: sentBytes(),
            ...(caller === undefined ? {} : { tenant: caller.principal.tenant, user: caller.principal.user }),
            ...(caller?.keyId === undefined ? {} : { key_id: caller.keyId }),
          },
          'request served',
        );
      });
    },
    admitted(request, caller) {
      const entry = entries.get(request);
      if (entry !== undefined) entry.caller = caller;
    },
    ended(request, thrown) {
      const entry = entries.get(request);
      if (entry === undefined) return;
      if (thrown === undefined) {
        entry.code = 0;
        return;
      }
      const error = toRpcError(thrown);
      const reason = errorInfoOf(error)?.reason;
      entry.code = error.code;
      if (reason !== undefined) entry.reason = reason;
    },
    codeOf: (request) => entries.get(request)?.code,
  };
}

function codeName(code: Code | 0): string {
  if (code === 0) return 'ok';
  return (Code[code] ?? 'Unknown').replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
}

// Node counts the bytes of a connection, which carries many responses; this counts those of one body.
function countBytes(response: NodeResponse): () => number {
  let sizeBytes = 0;
  let isEnding = false;
  const write = response.write.bind(response) as (...args: unknown[]) => boolean;
  const end = response.end.bind(response) as (...args: unknown[]) => NodeResponse;
  const add = (chunk: unknown) => {
    if (typeof chunk === 'string') sizeBytes += Buffer.byteLength(chunk);
    else if (chunk instanceof Uint8Array) sizeBytes += chunk.length;
  };
  const countedWrite = (...args: unknown[]) => {
    // Over HTTP/2, `end` writes its chunk by `write`.
    if (!isEnding) add(args[0]);
    return write(...args);
  };
  const countedEnd = (...args: unknown[]) => {
    isEnding = true;
    add(args[0]);
    return end(...args);
  };
  // V8 allocates a function that is written directly into a property in the old generation; there it would hold all of its request until
  // the next full collection.
  response.write = countedWrite;
  response.end = countedEnd;
  return () => sizeBytes;
}
