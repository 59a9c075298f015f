import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError, type RemoteCalls } from '../../../stores/remote/calls.ts';

// The connection to Milvus, and its errors.

/** Settings of both stores. */
export const milvusSettings = {
  url: z.string().describe('`host:port` of the gRPC port, or `https://host:port`'),
  token: secret().default(''),
  database: z.string().default(''),
  prefix: z.string().default('ragmesh'),
  partitions: z.int().min(1).max(1024).default(64),
  replicas: z.int().min(1).max(10).default(1),
  timeout_ms: z.int().min(100).max(600_000).default(10_000),
  write_timeout_ms: z.int().min(100).max(3_600_000).default(120_000),
};

/** Values of the settings of both stores. */
export type MilvusSettings = Settings<typeof milvusSettings>;

/** The connection of a store. */
export interface MilvusStore {
  /** The store's name in errors. */
  name: string;
  client: MilvusClient;
  settings: MilvusSettings;
  /** Collections that existed at most a minute ago. */
  existing: LRUCache<string, true>;
  read: RemoteCalls;
  write: RemoteCalls;
}

/** Loads the package and prepares a connection. Sends nothing before the first call. */
export async function connectMilvus(name: string, settings: MilvusSettings, path: string): Promise<MilvusStore> {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(settings.prefix)) {
    throw new ConfigError(`${path}.settings.prefix`, 'must be letters, digits and _, a letter first');
  }
  const { MilvusClient: Client } = await import('@zilliz/milvus2-sdk-node').catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const advice = 'npm install --no-save --save-prod --omit=dev @zilliz/milvus2-sdk-node';
    throw new ConfigError(`${path}.adapter`, `needs the package "@zilliz/milvus2-sdk-node": ${advice}`);
  });
  const client = new Client({
    address: settings.url,
    timeout: Math.max(settings.timeout_ms, settings.write_timeout_ms) + 1000,
    // Retries are up to the caller.
    maxRetries: 0,
    logLevel: 'error',
    telemetry: { enabled: false },
    // Without it, a server that is down at the start causes an unhandled rejection.
    __SKIP_CONNECT__: true,
    ...(settings.token === '' ? {} : { token: settings.token }),
    ...(settings.database === '' ? {} : { database: settings.database }),
  });
  const toError = (thrown: unknown) => toStoreError(name, thrown);
  return {
    name,
    client,
    settings,
    existing: new LRUCache({ max: 1000, ttl: 60_000 }),
    read: createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError }),
    write: createRemoteCalls({ name, timeoutMs: settings.write_timeout_ms, toError }),
  };
}

/** An error status. https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go */
class MilvusStatusError extends Error {
  override readonly name = 'MilvusStatusError';
  readonly status: number;
  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

/** Returns the reply. Throws if its status is an error. */
export function checked<T extends { status: { error_code: string | number; code?: number; reason: string } }>(
  reply: T,
): T {
  checkStatus(reply.status);
  return reply;
}

/** Throws if the status is an error. */
export function checkStatus(status: { error_code: string | number; code?: number; reason: string }): void {
  const code = status.code ?? 0;
  if (code === 0 && (status.error_code === 'Success' || status.error_code === 0)) return;
  throw new MilvusStatusError(code, status.reason);
}

/**
 * Runs a call that needs its collection in memory. If an operator or a restart of Milvus Lite has released the collection, loads it and
 * runs the call again.
 */
export async function loaded<T>({ client, settings }: MilvusStore, name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const isReleased = error instanceof MilvusStatusError && (error.status === 101 || /'released'/.test(error.message));
    if (!isReleased) throw error;
    await client.loadCollectionSync({ collection_name: name, replica_number: settings.replicas });
    return call();
  }
}

/** Returns the HTTP status that means the same as a code of Milvus. */
const httpStatusOf = (code: number): number => {
  // Memory limit, request limit, disk limit, rate limit.
  if ([3, 4, 7, 8].includes(code)) return 429;
  if (code < 100) return 503;
  if (code === 101 || code === 106) return 503;
  if (code >= 1400 && code < 1500) return 401;
  return 400;
};

/** The HTTP statuses of the transport's gRPC codes; `undefined`: no reply. */
const httpStatusOfGrpc = new Map<number, number | undefined>([
  [1, undefined],
  [4, 408],
  [7, 403],
  [8, 429],
  [14, undefined],
  [16, 401],
]);

function toStoreError(name: string, thrown: unknown): unknown {
  if (thrown instanceof MilvusStatusError) return httpError(name, httpStatusOf(thrown.status), thrown);
  if (!(thrown instanceof Error)) return thrown;
  const { code } = thrown as { code?: unknown };
  if (typeof code === 'number') {
    return httpError(name, httpStatusOfGrpc.has(code) ? httpStatusOfGrpc.get(code) : 500, thrown);
  }
  return thrown;
}

/** Returns the result of a read; `missing` if the collection does not exist. */
export async function orMissing<T>(missing: T, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if (
        /collection .{0,300}(not found|not exist)|can't find collection|not exist.{0,20}collection/i.test(cause.message)
      ) {
        return missing;
      }
    }
    throw error;
  }
}
