import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { rpcError, unavailable } from '#kit/base/errors.ts';
import { createRemoteCalls, httpError } from '../../../stores/remote/calls.ts';

// What the engines share: one request, one JSON reply of bounded size, one table of errors.

const name = 'web search';

/** The largest reply that is read. */
const maxReplyBytes = 4 * 1024 * 1024;

/** What of an error's text is looked at. */
const maxErrorBytes = 16 * 1024;

/** How long to leave an engine alone that does not say, and at most, in milliseconds. */
const defaultRetryMs = 1000;
const maxRetryMs = 3_600_000;

/** A reply that is no success. */
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

/** Asks an engine. `read` takes the parsed JSON apart, and throws where it is not as the engine documents it. */
export type AskWeb = <T>(url: URL, init: RequestInit, read: (json: unknown) => T, signal: AbortSignal) => Promise<T>;

/** How an engine's errors differ from the rest: the HTTP status that means the same. */
export type StatusOf = (error: WebReplyError) => number;

/** Creates the way to an engine. */
export function createAskWeb(timeoutMs: number, statusOf: StatusOf = ({ status }) => status): AskWeb {
  const call = createRemoteCalls({ name, timeoutMs, toError: (thrown) => toWebError(thrown, statusOf) });
  return (url, init, read, signal) =>
    call(async (ends) => {
      const reply = await fetch(url, { ...init, redirect: 'error', signal: ends });
      if (!reply.ok) {
        const body = await readBody(reply, maxErrorBytes).catch(() => '');
        throw new WebReplyError(reply.status, retryAfterMs(reply.headers.get('retry-after')), body);
      }
      const body = await readBody(reply, maxReplyBytes);
      let json: unknown;
      try {
        json = JSON.parse(body);
      } catch (error) {
        throw unavailable(name, 'the web search answered with something else than JSON', error);
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

/** Retry-After in seconds; a date is left aside, since the engines give none. */
function retryAfterMs(header: string | null): number | undefined {
  return header !== null && /^\d{1,6}$/.test(header.trim()) ? Number(header) * 1000 : undefined;
}

function toWebError(thrown: unknown, statusOf: StatusOf): unknown {
  if (thrown instanceof WebReplyError) {
    const status = statusOf(thrown);
    if (status === 429) {
      return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'the web search has had too many questions', {
        metadata: { dependency: name },
        retryAfterMs: Math.min(thrown.retryAfterMs ?? defaultRetryMs, maxRetryMs),
        cause: thrown,
      });
    }
    return httpError(name, status, thrown);
  }
  // What fetch throws where no reply came.
  if (thrown instanceof TypeError) return httpError(name, undefined, thrown);
  return thrown;
}

/** Rows of a reply, `undefined` where it is not as documented. */
export function rowsOf(value: unknown): Record<string, unknown>[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null);
}

/** A text of a row; empty where it has none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The error of a reply that is not as the engine documents it. */
export function malformed(what: string): Error {
  return unavailable(name, `the web search answered without ${what}`);
}

/** Adds a path to a configured address. */
export function endpoint(base: string, path: string, setting: string): URL {
  if (!/^https?:/.test(base) || !URL.canParse(base)) throw new ConfigError(setting, 'is no http or https address');
  return new URL(`${base.replace(/\/+$/, '')}${path}`);
}
