import type { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import { HttpFailure, invalidReply } from '#kit/http/failure.ts';
import type { Entry, Fetched, Source, SourceDeps } from './source.ts';

/** Requests to an API that speaks JSON. */
export interface JsonApi {
  /** Sends a request. Returns `undefined` for 404; rejects with {@link HttpFailure} for other refusals. */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  post(path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
}

/** An API. */
export interface JsonApiOptions {
  /** For messages: "zendesk". */
  name: string;
  /** Address before the paths, without a slash at its end. */
  baseUrl: string;
  /** Returns the headers of a request. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>> | Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Whether a refusal of a request is a reply of its own, with a code that the adapter reads. @default false */
  hasCodes?: boolean;
}

const replyBytesMax = 64 << 20;

/** Creates the requests of an API. A path that is an address must be one of the same API: a key does not go anywhere else. */
export function createJsonApi(
  { name, baseUrl, headers, timeoutMs, hasCodes = false }: JsonApiOptions,
  { http }: Pick<SourceDeps, 'http'>,
): JsonApi {
  const send = async (
    path: string,
    request: { method: string; body?: string },
    signal: AbortSignal,
  ): Promise<unknown> => {
    const url = new URL(/^https?:/.test(path) ? path : baseUrl + path);
    if (url.origin !== new URL(baseUrl).origin) throw unavailable(name, `${name} points to another host: ${url.host}`);
    const sent = { accept: 'application/json', 'content-type': 'application/json', ...(await headers(signal)) };
    const limits = { timeoutMs, maxBytes: replyBytesMax, maxRedirects: 0 };
    const reply = await http.send({ url: url.href, headers: sent, ...request, ...limits }, signal);
    const json = parse(reply.body);
    if (hasCodes && [400, 403, 404].includes(reply.status) && json !== undefined) return json;
    if (reply.status === 404) return undefined;
    if (reply.status >= 300) throw new HttpFailure(reply.status, json, reply.headers);
    if (json === undefined) throw unavailable(name, `${name} sent a reply that is not JSON`);
    return json;
  };
  return {
    get: (path, signal) => send(path, { method: 'GET' }, signal),
    post: (path, body, signal) => send(path, { method: 'POST', body: JSON.stringify(body) }, signal),
  };
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch {
    // A refusal without words, or a broken reply: the status decides.
    return undefined;
  }
}

/** Creates a source of a place whose one listing names all entries with their versions. */
export function listingSource(
  list: (signal: AbortSignal) => AsyncIterable<readonly Entry[]>,
  fetch: (id: string, signal: AbortSignal) => Promise<Fetched>,
): Source {
  return {
    listsAll: true,
    async *changes(_, signal) {
      for await (const entries of list(signal)) yield { entries };
    },
    async *ids(signal) {
      for await (const entries of list(signal)) yield entries.map(({ id }) => id);
    },
    fetch: (id, _, signal) => fetch(id, signal),
    close: async () => {},
  };
}

/** Returns a reply as its documentation says it is. Rejects with INTERNAL, and the first field that is not so. */
export function readReply<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const { data, error } = schema.safeParse(value);
  if (error !== undefined) {
    const [issue] = error.issues;
    throw invalidReply(name, `${issue?.path.join('.') || 'it'} is missing or of another type`);
  }
  return data as T;
}
