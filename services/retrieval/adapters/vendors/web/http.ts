import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { createRemoteCalls, httpError } from '../../../stores/remote/calls.ts';

// The HTTP client of the web search engines: one request, one JSON reply of bounded size, one table of errors.

const name = 'web search';

/** The largest reply that is read. */
const maxReplyBytes = 4 * 1024 * 1024;

/** Bytes of an error's body that are read. */
const maxErrorBytes = 16 * 1024;

/** The backoff, in milliseconds, after an overload without Retry-After, and the longest one. */
const defaultRetryMs = 1000;
const maxRetryMs = 3_600_000;

/** An error reply. */
export class WebReplyError extends Error {
  override readonly name = 'WebReplyError';
  readonly status: number;
  /** Its Retry-After, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The beginning of its body. */
  readonly body: string;
  constructor(status: number, retryAfterMs: number | undefined, body: string) {
    super(`HTTP ${status}`);
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.body = body;
  }
}

/** Sends a request to an engine. `read` converts the parsed JSON, and throws if it is not as documented. */
export type AskWeb = <T>(url: URL, init: RequestInit, read: (json: unknown) => T, signal: AbortSignal) => Promise<T>;

/** Returns the HTTP status that an engine's error means, if the engine uses another one. */
export type StatusOf = (error: WebReplyError) => number;

/** Creates the function that sends requests to an engine. */
export function createAskWeb(timeoutMs: number, statusOf: StatusOf = ({ status }) => status): AskWeb {
  const call = createRemoteCalls({ name, timeoutMs, toError: (thrown) => toWebError(thrown, statusOf) });
  return (url, init, read, signal) =>
    call(async (running) => {
      const reply = await fetch(url, { ...init, redirect: 'error', signal: running });
      if (!reply.ok) {
        const body = await readBody(reply, maxErrorBytes).catch(() => '');
        throw new WebReplyError(reply.status, retryAfterMs(reply.headers.get('retry-after')), body);
      }
      const body = await readBody(reply, maxReplyBytes);
      let json: unknown;
      try {
        json = JSON.parse(body);
      } catch (error) {
        throw unavailable(name, 'the web search did not answer with JSON', error);
      }
      return read(json);
    }, signal);
}

async function readBody(reply: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let sizeBytes = 0;
  for await (const chunk of reply.body ?? []) {
    sizeBytes += (chunk as Uint8Array).byteLength;
    // Leaving the loop ends the transfer.
    if (sizeBytes > maxBytes) throw unavailable(name, `the web search answered with more than ${maxBytes} bytes`);
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text + decoder.decode();
}

/** Returns Retry-After, which is in seconds, in milliseconds. Dates are not read, because no engine sends them. */
function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : undefined;
}

function toWebError(thrown: unknown, statusOf: StatusOf): unknown {
  if (thrown instanceof WebReplyError) {
    const status = statusOf(thrown);
    if (status === 429) {
      return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'the web search is overloaded: try again later', {
        metadata: { dependency: name },
        retryAfterMs: Math.min(thrown.retryAfterMs ?? defaultRetryMs, maxRetryMs),
        cause: thrown,
      });
    }
    return httpError(name, status, thrown);
  }
  // `fetch` throws a TypeError if no reply comes.
  if (thrown instanceof TypeError) return httpError(name, undefined, thrown);
  return thrown;
}

/** Returns the rows of a reply; `undefined` if it is not as documented. */
export function rowsOf(value: unknown): Record<string, unknown>[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null);
}

/** Returns a text of a row; empty if there is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Returns the error for a reply that is not as documented. */
export function malformed(what: string): Error {
  return unavailable(name, `the web search answered without ${what}`);
}

/** Returns a configured address with a path. Throws ConfigError if it is not an http or https address. */
export function endpoint(base: string, path: string, setting: string): URL {
  if (!/^https?:/.test(base) || !URL.canParse(base)) throw new ConfigError(setting, 'must be an http or https address');
  return new URL(`${base.replace(/\/+$/, '')}${path}`);
}
