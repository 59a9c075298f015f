import { z } from 'zod';
import { unavailable } from '#kit/base/errors.ts';
import type { Settings } from '#kit/host/config/adapter-settings.ts';
import { mastersOf, openRedis, type RedisConnection } from '#kit/storage/redis.ts';
import { redisError, replyText } from '#kit/storage/redis-errors.ts';
import { redisSettings } from '#kit/storage/redis-settings.ts';
import { createRemoteCalls } from '../../../stores/remote/calls.ts';
import { toTerm } from '../../../stores/remote/rows.ts';

// Redis for the stores: groups of commands, writes that are on the server's disk when they resolve, and errors that may cross a service.

/** Settings of every adapter over Redis. */
export const storeRedisSettings = {
  ...redisSettings('ragmesh:'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a step, in milliseconds').default(10_000),
  durable: z
    .boolean()
    .describe(
      "Waits for the server's append-only file with each change. Without it, a server that dies may lose what was written",
    )
    .default(true),
};

/** Settings of the adapters over RediSearch. Their index covers the rows of all tenants, which a cluster spreads over its nodes. */
export const searchRedisSettings = {
  ...storeRedisSettings,
  cluster: z.literal(false).describe('RediSearch is used without a cluster').default(false),
};

/** A command with its arguments. */
export type Command = readonly [name: string, ...args: (string | number | Buffer)[]];

/** A Redis server. */
export interface RedisServer {
  /** Sends commands in one pipeline and returns their replies in order. */
  read(commands: readonly Command[], signal?: AbortSignal): Promise<unknown[]>;
  /** Sends commands one after another and returns their replies in order; for a failed command its error. */
  attempt(commands: readonly Command[]): Promise<unknown[]>;
  /** Runs commands in one transaction: all or none. */
  write(commands: readonly Command[]): Promise<unknown[]>;
  /** Resolves when all earlier writes are on disk. */
  flush(): Promise<void>;
  /** Returns an error of a reply as one that may cross a service. */
  toError(thrown: unknown): unknown;
  close(): Promise<void>;
}

/** Returns the prefix of a tenant's keys, which are in one slot of a cluster. The term has no character that Redis interprets. */
export function tenantPrefix(prefix: string, tenant: string): string {
  return `${prefix}:{${toTerm(tenant)}}`;
}

/** Connects to a server. `name` is the store's name in errors. */
export async function openStoreRedis(
  settings: Settings<typeof storeRedisSettings>,
  name: string,
): Promise<RedisServer> {
  const { timeout_ms: timeoutMs, durable } = settings;
  const call = createRemoteCalls({ name, timeoutMs, toError: (thrown) => toError(name, thrown) });
  // Writes have a connection of their own, because waiting for the disk blocks it.
  const [reading, writing] = await Promise.all(
    [1, 2].map(() => openRedis(settings, { name, timeoutMs })) as [Promise<RedisConnection>, Promise<RedisConnection>],
  );

  const send = (chain: ReturnType<RedisConnection['pipeline']>, commands: readonly Command[]) => {
    for (const [command, ...args] of commands) chain.call(command, ...args);
    return chain.exec();
  };
  return {
    async read(commands, signal) {
      if (commands.length === 0) return [];
      return call(async () => repliesOf(await send(reading.pipeline(), commands)), signal);
    },
    async attempt(commands) {
      const results = await call(() => send(writing.pipeline(), commands));
      return (results ?? []).map(([error, reply]) => error ?? reply);
    },
    async write(commands) {
      if (commands.length === 0) return [];
      return call(async () => repliesOf(await send(writing.multi(), commands)));
    },
    async flush() {
      if (!durable) return;
      // Each master of a cluster has written a part of it.
      const replies = await call(() =>
        Promise.all(mastersOf(writing).map((master) => master.call('WAITAOF', 1, 0, timeoutMs))),
      );
      if (replies.some((reply) => Number((reply as unknown[])[0]) < 1)) {
        throw unavailable(name, `the ${name} did not write to its disk within ${timeoutMs} ms`);
      }
    },
    toError: (thrown) => toError(name, thrown),
    async close() {
      reading.disconnect();
      writing.disconnect();
    },
  };
}

/** Returns the replies. Throws the first error among them. */
function repliesOf(results: [error: Error | null, reply: unknown][] | null): unknown[] {
  if (results === null) throw new Error('the transaction was cancelled');
  return results.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

function toError(name: string, thrown: unknown): unknown {
  const text = thrown instanceof Error && thrown.name === 'ReplyError' ? replyText(thrown) : '';
  if (/unknown command/i.test(text)) {
    const needed = 'vector sets need Redis 8, FT commands need RediSearch';
    return unavailable(name, `the ${name} lacks a command: ${needed}`, thrown);
  }
  if (/appendonly is disabled/i.test(text)) {
    const advice = 'set "appendonly yes" there, or "durable: false" here';
    return unavailable(name, `the ${name} writes nothing to disk: ${advice}`, thrown);
  }
  return redisError(name, thrown);
}
