import { type ChainableCommander, Redis } from 'ioredis';
import { z } from 'zod';
import { internal, unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import { type Settings, secret } from '#kit/host/config/adapter-settings.ts';
import { createRemoteCalls } from '../../../stores/remote/calls.ts';
import { toTerm } from '../../../stores/remote/rows.ts';

// A connection to Redis for the stores: commands that fail at once while the server is away and work again when it is
// back, writes that are on the server's disk when they resolve, and errors that may cross a service.

/** Settings of every adapter over Redis. */
export const redisSettings = {
  url: secret()
    .describe('"redis://user:password@host:6379/0", or "rediss://" for TLS')
    .default('redis://127.0.0.1:6379'),
  prefix: z.string().describe('Begins every key').default('ragmesh'),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of a step, in milliseconds').default(10_000),
  durable: z
    .boolean()
    .describe(
      `Waits for the server's append-only file with each change; without, a server that dies may lose what was written`,
    )
    .default(true),
};

/** A command with its arguments. */
export type Command = readonly [name: string, ...args: (string | number | Buffer)[]];

/** A server of Redis. */
export interface RedisServer {
  /** Sends commands together; their replies in order. */
  read(commands: readonly Command[], signal?: AbortSignal): Promise<unknown[]>;
  /** Sends commands one after another and gives the error of each that failed, in its place. */
  attempt(commands: readonly Command[]): Promise<unknown[]>;
  /** Does commands in one step: all of them or none, and nobody sees half. */
  write(commands: readonly Command[]): Promise<unknown[]>;
  /** Resolves when what was written before is on disk. */
  flush(): Promise<void>;
  /** An error of a reply as one that may cross a service. */
  toError(thrown: unknown): unknown;
  close(): Promise<void>;
}

/** First part of a tenant's keys. The braces keep them in one slot of a cluster; the term has no sign of Redis's own. */
export function tenantPrefix(prefix: string, tenant: string): string {
  return `${prefix}:{${toTerm(tenant)}}`;
}

/** Longest time for the first connection; the service starts without one. */
const connectMs = 2000;

/** Opens a server. `name`: of the store, for errors. */
export async function openRedis(
  { url, timeout_ms: timeoutMs, durable }: Settings<typeof redisSettings>,
  name: string,
): Promise<RedisServer> {
  const call = createRemoteCalls({ name, timeoutMs, toError: (thrown) => toError(name, thrown) });
  // Writes have a connection of their own, since waiting for the disk holds one up.
  const [reading, writing] = await Promise.all([connect(url, timeoutMs), connect(url, timeoutMs)]);

  const send = (chain: ChainableCommander, commands: readonly Command[]) => {
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
      const reply = await call(() => writing.call('WAITAOF', 1, 0, timeoutMs));
      if (Number((reply as unknown[])[0]) < 1) {
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

async function connect(url: string, timeoutMs: number): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    // A command that cannot be sent now fails now, and none is ever sent twice.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectMs,
    // A connection that hangs is replaced.
    socketTimeout: timeoutMs * 2,
    retryStrategy: (attempt) => Math.min(2000, 50 * 2 ** Math.min(attempt, 10)),
  });
  // Failures are told by the calls that meet them; without a listener the process would end.
  redis.on('error', () => {});
  // A server that takes the connection and says nothing holds up a start no longer than one that is away.
  await within(() => redis.connect(), { timeoutMs: Math.min(connectMs, timeoutMs) }).catch(() => {});
  return redis;
}

/** The replies, or the first error among them. */
function repliesOf(results: [error: Error | null, reply: unknown][] | null): unknown[] {
  if (results === null) throw new Error('the transaction was given up');
  return results.map(([error, reply]) => {
    if (error !== null) throw error;
    return reply;
  });
}

/** What Redis says with the first word of an error (https://redis.io/docs/latest/develop/reference/protocol-spec/). */
const causes = new Map([
  ['LOADING', 'is starting'],
  ['BUSY', 'runs a script that takes long'],
  ['MASTERDOWN', 'has lost its master'],
  ['READONLY', 'is a replica, which takes no writes'],
  ['NOREPLICAS', 'has too few replicas'],
  ['MISCONF', 'cannot write to its disk'],
  ['OOM', 'is full'],
  ['NOAUTH', 'refuses its password: check the settings'],
  ['WRONGPASS', 'refuses its password: check the settings'],
  ['NOPERM', 'does not permit a command: check the rights of its user'],
]);

function toError(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown;
  // A transaction that was refused has the reason in its parts.
  const [previous] = (thrown as { previousErrors?: Error[] }).previousErrors ?? [];
  const { message } = previous ?? thrown;
  if (thrown.name !== 'ReplyError') return unavailable(name, `the ${name} cannot be reached`, thrown);
  const cause = causes.get(message.split(' ', 1)[0] ?? '');
  if (cause !== undefined) return unavailable(name, `the ${name} ${cause}`, thrown);
  if (/unknown command/i.test(message)) {
    const needed = 'vector sets come with Redis 8, FT commands with RediSearch';
    return unavailable(name, `the ${name} lacks a command: ${needed}`, thrown);
  }
  if (/appendonly is disabled/i.test(message)) {
    const advice = 'set "appendonly yes" there, or "durable: false" here';
    return unavailable(name, `the ${name} keeps nothing on disk: ${advice}`, thrown);
  }
  return internal(thrown);
}
