import { z } from 'zod';

/** How to reach Redis: one server, a master behind Sentinel, or a cluster. The same names in every adapter over Redis. */
export interface RedisSettings {
  readonly url: string;
  readonly urls: readonly string[];
  readonly sentinel: string;
  readonly cluster: boolean;
  readonly tls: boolean;
  readonly tls_ca_file: string;
  readonly username: string;
  readonly password: string;
  readonly connect_timeout_ms: number;
  readonly key_prefix: string;
}

/** A node of Redis, as a URL names it. */
export interface RedisNode {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Number of the database, 0 by default. A cluster has only that one. */
  readonly database: number;
  readonly isTls: boolean;
}

const isRedisUrl = (text: string): boolean => readRedisUrl(text, 0) !== undefined;
const urlAdvice = 'must be "redis://host:6379", or "rediss://host:6379" for TLS; "%" in a password is "%25"';

/**
 * Returns the settings that every adapter over Redis shares. `keyPrefix` is the default of `key_prefix`. An adapter adds what is its
 * own, such as `timeout_ms`.
 */
export function redisSettings(keyPrefix: string) {
  return {
    url: z
      .string()
      .refine(isRedisUrl, urlAdvice)
      .meta({ writeOnly: true })
      .describe('One server: "redis://user:password@host:6379/0", or "rediss://" for TLS. Unused if `urls` is set')
      .default('redis://127.0.0.1:6379'),
    urls: z
      .array(z.string().refine(isRedisUrl, urlAdvice))
      .meta({ writeOnly: true })
      .describe(
        'With `sentinel`: the Sentinels, with their own user and password. With `cluster`: the nodes to connect to first',
      )
      .default([]),
    sentinel: z
      .string()
      .describe('Name of the master that the Sentinels of `urls` monitor. Empty: no Sentinel')
      .default(''),
    cluster: z.boolean().describe('Whether `urls` are nodes of a Redis Cluster').default(false),
    tls: z.boolean().describe('Encrypts every connection, as "rediss://" does').default(false),
    tls_ca_file: z
      .string()
      .describe("File with the certificates (PEM) that sign those of the servers. Empty: the system's")
      .default(''),
    username: z.string().describe('User of the servers, if the URL has none').default(''),
    password: z.string().meta({ writeOnly: true }).describe('Password of the servers, if the URL has none').default(''),
    connect_timeout_ms: z
      .int()
      .min(50)
      .max(60_000)
      .describe('Longest time of one attempt to connect, in milliseconds')
      .default(2000),
    key_prefix: z.string().describe('Begins every key. Adapters that share data need the same').default(keyPrefix),
  };
}

/** Returns the node of a URL; `undefined` if it is not a URL of Redis. Without a scheme, "host:port" is enough. */
export function readRedisUrl(text: string, defaultPort: number): RedisNode | undefined {
  const url = text.includes('://') ? text : `redis://${text}`;
  if (!URL.canParse(url)) return undefined;
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  if (!/^rediss?:$/.test(protocol) || hostname === '' || !/^\/?\d*$/.test(pathname)) return undefined;
  const login = decodeLogin(username, password);
  if (login === undefined) return undefined;
  return {
    // Sockets take an IPv6 address without the brackets that it has in a URL.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? defaultPort : Number(port),
    ...login,
    database: Number(pathname.slice(1)),
    isTls: protocol === 'rediss:',
  };
}

/** Returns the parts of a URL without percent encoding; `undefined` if they are not encoded: a password with a plain "%". */
function decodeLogin(username: string, password: string): { username: string; password: string } | undefined {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return undefined;
  }
}
