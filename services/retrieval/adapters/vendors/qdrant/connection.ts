import { QdrantClient } from '@qdrant/js-client-rest';
import { z } from 'zod';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError, type RemoteCalls } from '../../../stores/remote/calls.ts';

// The connection to Qdrant, and its errors.

/** Settings of both adapters. */
export const qdrantSettings = {
  url: z.string().default('http://127.0.0.1:6333'),
  api_key: secret().default(''),
  prefix: z.string().describe('Begins the names of collections').default('ragmesh'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a request').default(10_000),
  replicas: z.int().min(1).max(16).describe('Copies of each shard, for a cluster').default(1),
};

/** The requests that the client offers. */
export type QdrantApi = ReturnType<QdrantClient['api']>;

/** The connection of a store. */
export interface QdrantConnection {
  /** The store's name in errors. */
  name: string;
  api: QdrantApi;
  /** Copies of each shard of new collections. */
  replicas: number;
  call: RemoteCalls;
  /** Runs a call; returns `absent` if the collection does not exist. */
  orAbsent<T>(absent: T, read: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** Connects to a server. Sends nothing before the first call. `name` is the store's name in errors. */
export function connectQdrant(settings: Settings<typeof qdrantSettings>, name: string): QdrantConnection {
  const client = new QdrantClient({
    url: settings.url,
    ...(settings.api_key !== '' && { apiKey: settings.api_key }),
    // Each call has its own deadline: the client's timeout would replace the signal.
    timeout: Number.POSITIVE_INFINITY,
    checkCompatibility: false,
  });
  const call = createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError: (thrown) => toError(name, thrown) });
  return {
    name,
    api: client.api(),
    replicas: settings.replicas,
    call,
    orAbsent: (absent, read, signal) =>
      call(async (running) => {
        try {
          return await read(running);
        } catch (error) {
          if (statusOf(error) === 404) return absent;
          throw error;
        }
      }, signal),
  };
}

/** Returns the HTTP status of an error of the client; `undefined` if no reply came. */
export function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { status?: unknown }).status;
  return typeof status === 'number' ? status : undefined;
}

// An error reply has a status; `fetch` throws a TypeError without one.
function toError(name: string, thrown: unknown): unknown {
  const status = statusOf(thrown);
  if (status !== undefined) return httpError(name, status, thrown);
  const isOverloaded = thrown instanceof Error && thrown.name === 'QdrantClientResourceExhaustedError';
  if (isOverloaded) return httpError(name, 429, thrown);
  return thrown instanceof TypeError ? httpError(name, undefined, thrown) : thrown;
}
