import { Cluster, type CommonRedisOptions, Redis } from 'ioredis';
import { z } from 'zod';
import { ConfigError } from '#kit/base/config-error.ts';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';

// Connections to Redis for the stores of the cache: one server, one behind Sentinel, or a cluster. Commands fail at once while it is
// away, and work again when it is back; none is ever sent twice.

/** Settings of every adapter over Redis. */
export const redisSettings = {
  url: secret()
    .describe(
      '"redis://user:password@host:6379/0", or "rediss://" for TLS. Of Sentinel and a cluster: the same for each node, host and port aside',
    )
    .default('redis://127.0.0.1:6379'),
  sentinels: z.string().describe('Sentinels that know the master: "host:26379,host:26379". Empty: none').default(''),
  sentinel_master: z.string().describe('Name of the master that the Sentinels know').default('mymaster'),
  sentinel_password: secret().describe('Password of the Sentinels themselves').default(''),
  cluster_nodes: z
    .string()
    .describe('Nodes of a cluster to begin with: "host:6379,host:6379". Empty: no cluster')
    .default(''),
  key_prefix: z
    .string()
    .describe('Begins every key. Stores that work together need the same')
    .default('ragmesh:cache:'),
};

/** Values of {@link redisSettings}. */
export type RedisSettings = Settings<typeof redisSettings>;

/** Time for the first connection, in milliseconds; the cache starts without one. */
const connectMs = 2000;
/** Longest wait for it to be ready, in milliseconds. */
const startMs = 2000;
/** How often a listening connection is asked whether it lives, and its longest silence, in milliseconds. */
const pingEveryMs = 1000;
const silenceMs = 3000;
/** Silence after which a connection with commands under way is replaced, in milliseconds. */
const socketTimeoutMs = 3000;

/** A connection: of one server or of a cluster, which take the same commands. */
export type RedisConnection = Redis | Cluster;

/** First part of the keys of a tenant. The braces keep them in one slot of a cluster, where one script can see them all. */
export function tenantPrefix(prefix: string, tenant: string): string {
  return `${prefix}{${encodeURIComponent(tenant)}}`;
}

/** Opens a connection for commands. */
export async function openRedis(settings: RedisSettings, log: Logger): Promise<RedisConnection> {
  const redis = create(settings, { socketTimeout: socketTimeoutMs });
  // Failures are told by the calls that meet them; without a listener the process would end.
  redis.on('error', (error) => log.debug({ err: error }, 'redis connection'));
  await within(() => redis.connect(), { timeoutMs: startMs }).catch((error: unknown) => {
    log.error({ err: error }, 'redis cannot be reached for the cache: starting without');
  });
  return redis;
}

/** Channels of a connection that only listens. */
export interface RedisListener {
  /** Hears a channel until the returned function is called. Resolves once it is heard, or at once where Redis is away: then later. */
  subscribe(channel: string, onMessage: (message: string) => void): Promise<() => void>;
  close(): void;
}

/** Opens a connection that only listens. `onAttached` is told when it begins, and when it stops, to hear its channels. */
export async function openListener(
  settings: RedisSettings,
  log: Logger,
  onAttached: (isAttached: boolean) => void,
): Promise<RedisListener> {
  const redis = create(settings, { autoResubscribe: false });
  const handlers = new Map<string, Set<(message: string) => void>>();
  const attach = async () => {
    try {
      if (handlers.size > 0) await redis.subscribe(...handlers.keys());
      onAttached(true);
    } catch (error) {
      log.debug({ err: error }, 'redis listener');
    }
  };
  const detach = () => onAttached(false);
  redis.on('error', (error) => log.debug({ err: error }, 'redis listener'));
  redis.on('ready', attach);
  redis.on('close', detach);
  // Of a cluster, one node does the listening, and another one takes over where that is lost.
  redis.on('-subscriber', detach);
  redis.on('+subscriber', () => void attach());
  redis.on('message', (channel: string, message: string) => {
    for (const handler of handlers.get(channel) ?? []) handler(message);
  });
  await within(() => redis.connect(), { timeoutMs: startMs }).catch((error: unknown) =>
    log.debug({ err: error }, 'redis listener'),
  );
  // A connection that is dead without a word would hear nothing for ever. A cluster sees to its own.
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
      if (known === undefined) await within(() => redis.subscribe(channel), { timeoutMs: silenceMs }).catch(() => {});
      return () => {
        group.delete(onMessage);
        if (group.size > 0 || handlers.get(channel) !== group) return;
        handlers.delete(channel);
        redis.unsubscribe(channel).catch(() => {});
      };
    },
    close() {
      clearInterval(pings);
      redis.disconnect();
    },
  };
}

function create(
  settings: RedisSettings,
  extra: { socketTimeout?: number; autoResubscribe?: boolean },
): RedisConnection {
  const { url, sentinels, cluster_nodes: clusterNodes } = settings;
  if (sentinels !== '' && clusterNodes !== '') {
    throw new ConfigError('cache.durable_store.settings', 'sentinels and cluster_nodes exclude each other');
  }
  const retryStrategy = (attempt: number) => Math.min(1000, 50 * 2 ** Math.min(attempt, 10));
  const common = {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectMs,
    ...extra,
  } satisfies Partial<CommonRedisOptions>;
  const { username, password, db, tls } = partsOf(url);
  if (clusterNodes !== '') {
    return new Cluster(hostsOf(clusterNodes, 6379), {
      lazyConnect: true,
      enableOfflineQueue: false,
      slotsRefreshTimeout: connectMs,
      clusterRetryStrategy: retryStrategy,
      redisOptions: {
        ...common,
        ...(username && { username }),
        ...(password && { password }),
        ...(tls && { tls: {} }),
      },
    });
  }
  if (sentinels !== '') {
    return new Redis({
      ...common,
      lazyConnect: true,
      retryStrategy,
      sentinels: hostsOf(sentinels, 26_379),
      name: settings.sentinel_master,
      ...(settings.sentinel_password && { sentinelPassword: settings.sentinel_password }),
      ...(username && { username }),
      ...(password && { password }),
      ...(tls && { tls: {} }),
      db,
    });
  }
  return new Redis(url, { ...common, lazyConnect: true, retryStrategy });
}

function partsOf(url: string): { username: string; password: string; db: number; tls: boolean } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol)) {
    throw new ConfigError('cache.durable_store.settings.url', 'is no URL of Redis: "redis://host:6379" is wanted');
  }
  return {
    username: decodeURIComponent(parsed.username),
    password: decodeURIComponent(parsed.password),
    db: Number(parsed.pathname.slice(1)) || 0,
    tls: parsed.protocol === 'rediss:',
  };
}

function hostsOf(list: string, defaultPort: number): { host: string; port: number }[] {
  return list.split(',').map((entry) => {
    const match = /^\[?([^\]]+?)\]?(?::(\d+))?$/.exec(entry.trim());
    if (match === null) {
      throw new ConfigError('cache.durable_store.settings', `"${entry}" is no host: "host:${defaultPort}" is wanted`);
    }
    return { host: match[1] ?? '', port: Number(match[2] ?? defaultPort) };
  });
}
