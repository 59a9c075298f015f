import { Client, type ClientOptions, errors } from '@elastic/elasticsearch';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import { unavailable } from '#kit/base/errors.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls, httpError, type RemoteCalls } from '../../../stores/remote/calls.ts';

// The connection to Elasticsearch, and its errors.

/** Settings of both stores. */
export const elasticsearchSettings = {
  url: z.string(),
  api_key: secret().default(''),
  username: z.string().default(''),
  password: secret().default(''),
  prefix: z.string().default('ragmesh'),
  shards: z.int().min(1).max(1024).default(1),
  replicas: z.int().min(0).max(10).default(1),
  timeout_ms: z.int().min(100).max(600_000).default(10_000),
  write_timeout_ms: z.int().min(100).max(3_600_000).default(120_000),
};

/** Values of the settings of both stores. */
export type ElasticsearchSettings = Settings<typeof elasticsearchSettings>;

/** The connection of a store. */
export interface Elasticsearch {
  client: Client;
  /** The store's name in errors. */
  name: string;
  read: RemoteCalls;
  write: RemoteCalls;
}

/** Prepares a connection. Sends nothing before the first call. */
export function connectElasticsearch(name: string, settings: ElasticsearchSettings, path: string): Elasticsearch {
  if (!URL.canParse(settings.url)) throw new ConfigError(`${path}.settings.url`, 'must be a URL');
  if (!/^[a-z][a-z0-9_]{0,63}$/.test(settings.prefix)) {
    throw new ConfigError(`${path}.settings.prefix`, 'must be lower-case letters, digits and _, a letter first');
  }
  const auth: ClientOptions['auth'] | undefined =
    settings.api_key !== ''
      ? { apiKey: settings.api_key }
      : settings.username !== ''
        ? { username: settings.username, password: settings.password }
        : undefined;
  const client = new Client({
    node: settings.url,
    // Retries are up to the caller, and the deadline of a call is its signal.
    maxRetries: 0,
    requestTimeout: Math.max(settings.timeout_ms, settings.write_timeout_ms) + 1000,
    enableMetaHeader: false,
    ...(auth === undefined ? {} : { auth }),
  });
  const toError = (thrown: unknown) => toStoreError(name, thrown);
  return {
    client,
    name,
    read: createRemoteCalls({ name, timeoutMs: settings.timeout_ms, toError }),
    write: createRemoteCalls({ name, timeoutMs: settings.write_timeout_ms, toError }),
  };
}

function toStoreError(name: string, thrown: unknown): unknown {
  if (thrown instanceof errors.ResponseError) {
    // Another process has changed a row meanwhile: every step can be repeated.
    if (thrown.statusCode === 409) return unavailable(name, `the ${name} was changed meanwhile: try again`, thrown);
    return httpError(name, thrown.statusCode, thrown);
  }
  if (thrown instanceof errors.ProductNotSupportedError) {
    return unavailable(name, `the server of the ${name} is not Elasticsearch: check its url`, thrown);
  }
  if (thrown instanceof errors.ElasticsearchClientError) return httpError(name, undefined, thrown);
  return thrown;
}
