import type { Collection, WeaviateClient } from 'weaviate-client';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError, type RemoteCalls } from '../../../stores/remote/calls.ts';
import { toTerm } from '../../../stores/remote/rows.ts';

// The connection to Weaviate, and its errors. Each tenant is a tenant of the server, with files of its own. Collections are used only through
// `of(tenant)`, so every call names a tenant.

/** Settings of both stores. */
export const weaviateSettings = {
  url: z.string(),
  grpc_url: z.string().describe('Of the gRPC port. Empty: port 50051 of the same host').default(''),
  api_key: secret().default(''),
  prefix: z.string().default('Ragmesh'),
  replicas: z.int().min(1).max(10).default(1),
  timeout_ms: z.int().min(100).max(600_000).default(10_000),
  write_timeout_ms: z.int().min(100).max(3_600_000).default(120_000),
};

/** Values of the settings of both stores. */
export type WeaviateSettings = Settings<typeof weaviateSettings>;

/** The loaded package. */
export type Weaviate = typeof import('weaviate-client')['default'];

/** The connection of a store. */
export interface WeaviateStore {
  /** The store's name in errors. */
  name: string;
  weaviate: Weaviate;
  Filters: typeof import('weaviate-client')['Filters'];
  read: RemoteCalls;
  write: RemoteCalls;
  /** Returns the client. It connects at the first call, so that the server may start later. */
  client(): Promise<WeaviateClient>;
  /** Returns the rows of a tenant in a collection. */
  of(tenant: string, collection: string): Promise<Collection>;
  close(): Promise<void>;
}

/** Loads the package and prepares a connection. Sends nothing before the first call. */
export async function connectWeaviate(name: string, settings: WeaviateSettings, path: string): Promise<WeaviateStore> {
  const http = parseUrl(settings.url, `${path}.settings.url`);
  const grpc =
    settings.grpc_url === '' ? { ...http, port: 50051 } : parseUrl(settings.grpc_url, `${path}.settings.grpc_url`);
  if (!/^[A-Z][A-Za-z0-9]{0,63}$/.test(settings.prefix)) {
    throw new ConfigError(`${path}.settings.prefix`, 'must be letters and digits, a capital first');
  }
  const { default: weaviate, Filters } = await import('weaviate-client').catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const advice = 'npm install --no-save --save-prod --omit=dev weaviate-client';
    throw new ConfigError(`${path}.adapter`, `needs the package "weaviate-client": ${advice}`);
  });
  let connecting: Promise<WeaviateClient> | undefined;
  const client = () => {
    connecting ??= weaviate
      .connectToCustom({
        httpHost: http.host,
        httpPort: http.port,
        httpSecure: http.secure,
        grpcHost: grpc.host,
        grpcPort: grpc.port,
        grpcSecure: grpc.secure,
        skipInitChecks: true,
        timeout: { init: 10, query: settings.timeout_ms / 1000 + 1, insert: settings.write_timeout_ms / 1000 + 1 },
        ...(settings.api_key === '' ? {} : { authCredentials: new weaviate.ApiKey(settings.api_key) }),
      })
      .catch((error: unknown) => {
        connecting = undefined;
        throw error;
      });
    return connecting;
  };
  const toError = (thrown: unknown) => toStoreError(name, thrown);
  return {
    name,
    weaviate,
    Filters,
    client,
    read: createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError }),
    write: createRemoteCalls({ name, timeoutMs: settings.write_timeout_ms, toError }),
    async of(tenant, collection) {
      return (await client()).collections.use(collection).withTenant(toTerm(tenant)) as unknown as Collection;
    },
    async close() {
      await (await connecting?.catch(() => undefined))?.close();
    },
  };
}

function parseUrl(text: string, path: string): { host: string; port: number; secure: boolean } {
  if (!URL.canParse(text)) throw new ConfigError(path, 'must be a URL');
  const { hostname, port, protocol } = new URL(text);
  const secure = protocol === 'https:' || protocol === 'grpcs:';
  return { host: hostname, port: port === '' ? (secure ? 443 : 80) : Number(port), secure };
}

/** The HTTP statuses of the errors that the gRPC side reports as text; `undefined`: no reply. */
const statusOfCode: readonly [RegExp, number | undefined][] = [
  [/\bUNAUTHENTICATED\b/, 401],
  [/\bPERMISSION_DENIED\b/, 403],
  [/\bRESOURCE_EXHAUSTED\b|too many requests/i, 429],
  [/\bDEADLINE_EXCEEDED\b|timed out/i, 408],
  [/\bUNAVAILABLE\b|fetch failed|ECONNREFUSED|ECONNRESET|socket hang up|leader not found/, undefined],
  [/\bINTERNAL\b|\bUNKNOWN\b/, 500],
];

// Recognises the client's errors by their names, and those of the gRPC side by their text.
function toStoreError(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { code } = thrown as { code?: unknown };
  if (typeof code === 'number' && code >= 400 && code < 600) return httpError(name, code, thrown);
  if (/^Weaviate(GRPCUnavailable|StartUp)/.test(thrown.constructor.name)) return httpError(name, undefined, thrown);
  const text = `${thrown.message} ${thrown.cause instanceof Error ? thrown.cause.message : ''}`;
  const known = statusOfCode.find(([pattern]) => pattern.test(text));
  if (known !== undefined) return httpError(name, known[1], thrown);
  return thrown.constructor.name.startsWith('Weaviate') ? httpError(name, 400, thrown) : thrown;
}

/** Returns the result of a read; `missing` if the tenant or the collection does not exist. */
export async function orMissing<T>(missing: T, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (isMissing(error)) return missing;
    throw error;
  }
}

function isMissing(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (/tenant not found|could not find class|class not found|class .{1,200} not found/i.test(error.message))
      return true;
  }
  return false;
}
