import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis';
import { ConfigError } from '../base/config-error.ts';
import type { Logger } from '../base/log.ts';
import { within } from '../base/within.ts';
import { type RedisNode, type RedisSettings, readRedisUrl } from './redis-settings.ts';

// The one policy for connections to Redis. A command that cannot be sent fails immediately and none is sent twice, so the caller decides
// about retries. A lost connection is opened again with a bounded backoff, and commands work again from then on.

/** A connection: to one server or to a cluster, which take the same commands. */
export type RedisConnection = Redis | Cluster;

/** How the commands of a connection are sent. */
export interface RedisOptions {
  /** The dependency, for logs: "flight store". */
  readonly name: string;
  /** Longest time that a caller waits for a command, in milliseconds; a connection that is silent for longer is replaced. */
  readonly timeoutMs: number;
  /** Whether commands of one turn of the event loop are sent together. @default false */
  readonly autoPipelining?: boolean;
  readonly log?: Logger | undefined;
}

/** Longest backoff between attempts to connect, in milliseconds. */
const maxBackoffMs = 1000;
/** How often a listener pings its server, in milliseconds; the longest time without a reply. */
const pingEveryMs = 1000;
const silenceMs = 3000;

const backoffMs = (attempt: number) => Math.min(maxBackoffMs, 50 * 2 ** Math.min(attempt, 10));

/** Returns the first part of a tenant's keys. The braces keep them in one slot of a cluster, in which one script can use them all. */
export function tenantPrefix(prefix: string, tenant: string): string {
  return `${prefix}{${encodeURIComponent(tenant)}}`;
}

/**
 * Opens a connection for commands. Waits for it at most `connect_timeout_ms` and also returns if Redis is unreachable: commands fail
 * until it is back. Throws ConfigError for settings that contradict each other.
 */
export async function openRedis(
  settings: RedisSettings,
  { name, timeoutMs, autoPipelining = false, log }: RedisOptions,
): Promise<RedisConnection> {
  const redis = await createConnection(settings, autoPipelining, {
    // Applies while commands wait for a reply.
    socketTimeout: Math.max(1000, timeoutMs * 2),
  });
  // Callers learn of failures from their commands. Without a listener, the event would end the process.
  let cause: unknown;
  redis.on('error', (error) => {
    cause = error;
    log?.debug({ event: 'redis_connection_failed', name, err: error }, 'redis connection failed');
  });
  await within(() => redis.connect(), { timeoutMs: settings.connect_timeout_ms }).catch((error: unknown) => {
    // The event says why, a wrong password for example; the rejection says only that the connection is closed.
    log?.error({ event: 'redis_unreachable', name, err: cause ?? error }, 'redis unreachable, starting without it');
  });
  return redis;
}

/**
 * Creates a connection for a library with a policy of its own, which opens and closes it: its commands wait for a Redis that is away, so
 * callers bound them. Throws ConfigError for settings that contradict each other.
 */
export function openLibraryRedis(settings: RedisSettings): Promise<RedisConnection> {
  return createConnection(settings, false, { enableOfflineQueue: true, maxRetriesPerRequest: null });
}

/** A connection that only listens to channels. */
export interface RedisListener {
  /**
   * Calls `onMessage` with each message of a channel until the returned function is called. Resolves when the subscription is active;
   * if Redis is unreachable it resolves anyway, and subscribes when Redis is back.
   */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<() => void>;
  close(): void;
}

/** Opens a connection that only listens. `onAttached` is called when it starts, and when it stops, to receive messages. */
export async function openRedisListener(
  settings: RedisSettings,
  { name, log }: Pick<RedisOptions, 'name' | 'log'>,
  onAttached: (isAttached: boolean) => void,
): Promise<RedisListener> {
  const redis = await createConnection(settings, false, { autoResubscribe: false });
  const handlers = new Map<string, Set<(message: string) => void>>();
  const logFailure = (error: unknown) =>
    log?.debug({ event: 'redis_listener_failed', name, err: error }, 'redis listener failed');
  const attach = async () => {
    try {
      if (handlers.size > 0) await redis.subscribe(...handlers.keys());
      onAttached(true);
    } catch (error) {
      logFailure(error);
    }
  };
  const detach = () => onAttached(false);
  redis.on('error', logFailure);
  redis.on('ready', () => void attach());
  redis.on('close', detach);
  // A cluster listens on one of its nodes, and on another one when that is lost.
  redis.on('-subscriber', detach);
  redis.on('+subscriber', () => void attach());
  redis.on('message', (channel: string, message: string) => {
    for (const handler of handlers.get(channel) ?? []) handler(message);
  });
  await within(() => redis.connect(), { timeoutMs: settings.connect_timeout_ms }).catch(logFailure);
  // A dead connection without an error would never receive anything. A cluster checks its own.
  const pings = setInterval(() => {
    if (redis instanceof Cluster || redis.status !== 'ready') return;
    within(() => redis.ping(), { timeoutMs: silenceMs }).catch(() => redis.disconnect(true));
  }, pingEveryMs).unref();
  return {
    async subscribe(channel, onMessage) {
      const known = handlers.get(channel);
      const group = known ?? new Set();
      group.add(onMessage);
      handlers.set(channel, group);
      if (known === undefined) await within(() => redis.subscribe(channel), { timeoutMs: silenceMs }).catch(logFailure);
      return () => {
        group.delete(onMessage);
        if (group.size > 0 || handlers.get(channel) !== group) return;
        handlers.delete(channel);
        redis.unsubscribe(channel).catch(logFailure);
      };
    },
    close() {
      clearInterval(pings);
      redis.disconnect();
    },
  };
}

/** Returns the servers that take the writes of a connection: the masters of a cluster, or the one server. */
export function mastersOf(redis: RedisConnection): Redis[] {
  return redis instanceof Cluster ? redis.nodes('master') : [redis];
}

async function createConnection(
  settings: RedisSettings,
  enableAutoPipelining: boolean,
  extra: Pick<CommonRedisOptions, 'socketTimeout' | 'autoResubscribe' | 'enableOfflineQueue' | 'maxRetriesPerRequest'>,
): Promise<RedisConnection> {
  const { cluster, sentinel, connect_timeout_ms: connectTimeout } = settings;
  if (cluster && sentinel !== '') throw new ConfigError('sentinel', 'excludes cluster: set one of them');
  if ((cluster || sentinel !== '') && settings.urls.length === 0) {
    throw new ConfigError('urls', `is missing: list the ${cluster ? 'first nodes' : 'Sentinels'}`);
  }
  if (!cluster && sentinel === '' && settings.urls.length > 0) {
    throw new ConfigError('urls', 'needs sentinel or cluster: one server has url');
  }
  const nodes = nodesOf(settings);
  const [first] = nodes;
  // The user and password of a Sentinel's URL are those of the Sentinels.
  const login = loginOf(sentinel === '' ? first : undefined, settings);
  const tls = await tlsOf(settings, nodes);
  const common = {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout,
    ...login,
    ...(tls && { tls }),
    ...extra,
  } satisfies Partial<CommonRedisOptions> & { tls?: ConnectionOptions };
  if (cluster) {
    return new Cluster(
      nodes.map(({ host, port }) => ({ host, port })),
      {
        lazyConnect: true,
        enableOfflineQueue: false,
        enableAutoPipelining,
        slotsRefreshTimeout: connectTimeout,
        clusterRetryStrategy: backoffMs,
        redisOptions: common,
        // A certificate names the host, not the address that it resolves to.
        ...(tls && { dnsLookup: (host, done) => done(null, host) }),
      },
    );
  }
  const one = { ...common, lazyConnect: true, enableAutoPipelining, retryStrategy: backoffMs };
  if (sentinel === '') return new Redis({ ...one, host: first?.host, port: first?.port, db: first?.database });
  return new Redis({
    ...one,
    name: sentinel,
    sentinels: nodes.map(({ host, port }) => ({ host, port })),
    sentinelRetryStrategy: backoffMs,
    ...(first?.username && { sentinelUsername: first.username }),
    ...(first?.password && { sentinelPassword: first.password }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
    db: first?.database,
  });
}

function nodesOf({ url, urls, sentinel }: RedisSettings): RedisNode[] {
  const defaultPort = sentinel === '' ? 6379 : 26_379;
  return (urls.length > 0 ? urls : [url]).map((text) => {
    const node = readRedisUrl(text, defaultPort);
    if (node === undefined) throw new ConfigError(urls.length > 0 ? 'urls' : 'url', 'is not a URL of Redis');
    return node;
  });
}

function loginOf(node: RedisNode | undefined, settings: RedisSettings): { username?: string; password?: string } {
  const username = node?.username || settings.username;
  const password = node?.password || settings.password;
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}

async function tlsOf(settings: RedisSettings, nodes: readonly RedisNode[]): Promise<ConnectionOptions | undefined> {
  if (!settings.tls && !nodes.some(({ isTls }) => isTls)) return undefined;
  if (settings.tls_ca_file === '') return {};
  try {
    return { ca: await readFile(settings.tls_ca_file) };
  } catch {
    throw new ConfigError('tls_ca_file', 'cannot be read');
  }
}
