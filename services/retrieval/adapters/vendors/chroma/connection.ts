import { z } from 'zod';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError } from '../../../stores/remote/calls.ts';

// The connection to Chroma's REST interface v2. The vendor's own client is not used, because it includes a server's binary. A server
// describes its interface at /openapi.json.

/** Settings of a server. */
export const chromaSettings = {
  url: z.string().default('http://127.0.0.1:8000'),
  api_key: secret().describe('Sent as `x-chroma-token`').default(''),
  chroma_tenant: z.string().describe(`Chroma's tenant, in which the databases are`).default('default_tenant'),
  prefix: z.string().describe('Begins the names of databases').default('ragmesh'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a request, in milliseconds').default(10_000),
  ef_search: z
    .int()
    .min(10)
    .max(100_000)
    .describe('Rows that a search keeps in view: more finds more, and takes longer. Holds for new collections')
    .default(500),
};

/** Values of the settings. */
export type ChromaSettings = Settings<typeof chromaSettings>;

/** A failed reply. */
export class ChromaError extends Error {
  override readonly name = 'ChromaError';
  readonly status: number;
  constructor(status: number, body: string) {
    super(`HTTP ${status}: ${body.slice(0, 500)}`);
    this.status = status;
  }
}

/** Names a request: its method, its path below the databases, and its body. */
export interface ChromaRequest {
  method: 'GET' | 'POST';
  path: string;
  body?: unknown;
}

/** A connection to a server. */
export interface ChromaConnection {
  /** Sends a request and returns the parsed reply. */
  send<T>(request: ChromaRequest, signal?: AbortSignal): Promise<T>;
  /** Sends a request and returns the parsed reply; `undefined` if the server answers with `status`. */
  sendUnless<T>(status: number, request: ChromaRequest, signal?: AbortSignal): Promise<T | undefined>;
}

/** Connects to a server. Sends nothing before the first call. `name` is the store's name in errors. */
export function connectChroma(settings: ChromaSettings, name: string): ChromaConnection {
  const base = `${settings.url.replace(/\/+$/, '')}/api/v2/tenants/${encodeURIComponent(settings.chroma_tenant)}/databases`;
  const headers = {
    'content-type': 'application/json',
    ...(settings.api_key !== '' && { 'x-chroma-token': settings.api_key }),
  };
  const call = createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError: (thrown) => toError(name, thrown) });
  const exchange = async <T>({ method, path, body }: ChromaRequest, signal: AbortSignal): Promise<T> => {
    const response = await fetch(`${base}${path}`, {
      method,
      headers,
      signal,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new ChromaError(response.status, text);
    return JSON.parse(text) as T;
  };
  return {
    send: (request, signal) => call((running) => exchange(request, running), signal),
    sendUnless: <T>(status: number, request: ChromaRequest, signal?: AbortSignal) =>
      call(async (running) => {
        try {
          return await exchange<T>(request, running);
        } catch (error) {
          if (error instanceof ChromaError && error.status === status) return undefined;
          throw error;
        }
      }, signal),
  };
}

// `fetch` throws a TypeError if no reply comes.
function toError(name: string, thrown: unknown): unknown {
  if (thrown instanceof ChromaError) return httpError(name, thrown.status, thrown);
  return thrown instanceof TypeError ? httpError(name, undefined, thrown) : thrown;
}
