import type { Agent } from 'undici';
import { ConfigError } from '../base/config-error.ts';
import type { Breakers } from '../breaker/breakers.ts';
import { createBreakingFetch } from './breaking-fetch.ts';
import { HttpFailure, unavailableHttp } from './failure.ts';
import { undici } from './undici.ts';

/** `fetch` over connections of its own, with bounds that the global one lacks. */
export interface HttpClient {
  fetch: typeof globalThis.fetch;
  /** Ends every connection; requests in flight fail. */
  close(): Promise<void>;
}

/** Bounds of a client. */
export interface HttpClientOptions {
  /** Longest time for a connection, in milliseconds. @default 3000 */
  connectTimeoutMs?: number;
  /** Most connections to a server; more requests wait for one. @default 64 */
  maxConnections?: number;
  /** Of each server, by its origin: requests to one that hangs or fails end immediately, UNAVAILABLE. @default none */
  breakers?: Breakers;
}

/** Creates a client. Waits for a reply are bounded by the signals of its requests alone. */
export function createHttpClient({
  connectTimeoutMs = 3000,
  maxConnections = 64,
  breakers,
}: HttpClientOptions = {}): HttpClient {
  let agent: Agent | undefined;
  const connect = () =>
    new (undici().Agent)({
      connect: { timeout: connectTimeoutMs },
      connections: maxConnections,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  const plainFetch = ((input: string | URL, init: object) => {
    agent ??= connect();
    return undici().fetch(input, { ...init, dispatcher: agent });
  }) as unknown as typeof globalThis.fetch;
  return {
    fetch: breakers === undefined ? plainFetch : createBreakingFetch(plainFetch, breakers),
    close: async () => {
      await agent?.destroy();
    },
  };
}

/** A request whose body and reply are JSON. */
export interface JsonRequest {
  /** Who is asked, for errors: "cohere". */
  dependency: string;
  fetch: typeof globalThis.fetch;
  url: string;
  headers?: Record<string, string>;
  body: unknown;
  /** Longest wait for the whole reply, in milliseconds; the signal may end it sooner. */
  timeoutMs: number;
  /** Largest reply, in bytes. @default 64 MiB */
  maxReplyBytes?: number;
}

/** Largest reply by default, in bytes. */
const defaultReplyBytes = 64 << 20;

/**
 * Posts JSON and reads JSON. Rejects with the signal's reason if it aborts, with {@link HttpFailure} if the server refuses, and
 * with UNAVAILABLE if it cannot be reached, is late or does not answer in JSON.
 */
export function postJson(request: JsonRequest, signal: AbortSignal): Promise<unknown> {
  const { dependency, url, headers, body, timeoutMs, maxReplyBytes } = request;
  return withinTime(dependency, timeoutMs, signal, async (ends) => {
    const reply = await request.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
      body: JSON.stringify(body),
      // A key must not follow to wherever a server points.
      redirect: 'manual',
      signal: ends,
    });
    const text = new TextDecoder().decode(await readBody(reply, maxReplyBytes ?? defaultReplyBytes, dependency));
    const json = parseJson(text);
    if (!reply.ok) throw new HttpFailure(reply.status, json, reply.headers);
    if (json === undefined) throw unavailableHttp(dependency, 'sent a reply that is not JSON');
    return json;
  });
}

/**
 * Runs a request within `timeoutMs`. Rejects with the signal's reason if that aborts first, and with UNAVAILABLE if the time is
 * over or the connection fails; other errors go through.
 */
export async function withinTime<T>(
  dependency: string,
  timeoutMs: number,
  signal: AbortSignal,
  work: (ends: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const late = AbortSignal.timeout(timeoutMs);
  try {
    return await work(AbortSignal.any([signal, late]));
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw unavailableHttp(dependency, `gave no reply within ${timeoutMs} ms`, error);
    if (isNetworkError(error)) throw unavailableHttp(dependency, reachWords(error), error);
    throw error;
  }
}

/** The body of a reply, at most `maxBytes`. */
export async function readBody(reply: Response, maxBytes: number, dependency: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of reply.body ?? []) {
    sizeBytes += part.byteLength;
    if (sizeBytes > maxBytes) throw unavailableHttp(dependency, `sent a reply of more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, sizeBytes);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A body that is no JSON is judged by its status: a refusal without words, or a broken reply.
    return undefined;
  }
}

/** fetch reports faults of the network by a TypeError with these words, and our own mistakes by others. */
function isNetworkError(error: unknown): error is TypeError {
  return error instanceof TypeError && ['fetch failed', 'terminated'].includes(error.message);
}

/** ECONNREFUSED and similar codes, which fetch hides one or two causes deep. */
function reachWords(error: Error): string {
  let at: unknown = error;
  for (let depth = 0; depth < 3 && at instanceof Error; depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string') return `cannot be reached or ended early (${code})`;
    at = at.cause;
  }
  return 'cannot be reached or ended early';
}

/** A `base_url` setting without a slash at its end; throws ConfigError if it is no address. `path`: of the adapter. */
export function baseUrlOf(url: string, path: string): string {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new ConfigError(`${path}.settings.base_url`, 'is not an http or https address');
  }
  return url.replace(/\/+$/, '');
}

/** The header that carries a key; none for servers without keys. */
export function bearer(key: string): Record<string, string> {
  return key === '' ? {} : { authorization: `Bearer ${key}` };
}
