import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../../base/log.ts';
import { within } from '../../base/within.ts';

/**
 * Calls `onMessage` with each notification of a channel until `signal` aborts. Resolves when the channel is heard, or after
 * `storage.connect_timeout_ms` if PostgreSQL is away: then it is heard when PostgreSQL is back. `onMessage(undefined)` says that the
 * connection is new: notifications before it may be lost. A pooler in transaction mode passes none, so a reader also polls.
 */
export type Listen = (
  channel: string,
  onMessage: (payload: string | undefined) => void,
  signal: AbortSignal,
) => Promise<void>;

/** How often the connection is checked, and the longest time without a reply, in milliseconds. */
const pingEveryMs = 5000;
/** Bounds of the backoff between two attempts to connect, in milliseconds. */
const firstBackoffMs = 50;
const maxBackoffMs = 2000;

interface ListenerDeps {
  newClient(): pg.Client;
  connectTimeoutMs: number;
  log: Logger;
}

/** Creates the one connection of a process that listens. It is opened with the first channel. */
export function createListener({ newClient, connectTimeoutMs, log }: ListenerDeps) {
  const handlers = new Map<string, Set<(payload: string | undefined) => void>>();
  const closing = new AbortController();
  let attached: pg.Client | undefined;
  let running: Promise<void> | undefined;
  let firstAttached = Promise.withResolvers<void>();
  const report = (payload: string | undefined, of: Iterable<(payload: string | undefined) => void>) => {
    for (const onMessage of of) onMessage(payload);
  };
  const subscribe = (client: pg.Client, channel: string) => client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);

  /** Listens on one connection until it is lost. */
  const hear = async (): Promise<void> => {
    const client = newClient();
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    client.on('error', lost.reject);
    client.on('end', () => lost.reject(new Error('the connection has ended')));
    client.on('notification', ({ channel, payload }) => report(payload ?? '', handlers.get(channel) ?? []));
    try {
      await client.connect();
      attached = client;
      for (const channel of handlers.keys()) await subscribe(client, channel);
      firstAttached.resolve();
      for (const of of handlers.values()) report(undefined, of);
      for (;;) {
        const pause = sleep(pingEveryMs, undefined, { signal: closing.signal, ref: false });
        await Promise.race([pause, lost.promise]);
        await within(() => client.query('SELECT 1'), { timeoutMs: pingEveryMs });
      }
    } finally {
      attached = undefined;
      firstAttached = Promise.withResolvers<void>();
      // `end` waits for a server that may not answer, so it is not awaited.
      client.end().catch(() => {});
    }
  };
  const run = async (): Promise<void> => {
    let backoffMs = firstBackoffMs;
    while (!closing.signal.aborted) {
      const startMs = performance.now();
      await hear().catch((error: unknown) => {
        if (!closing.signal.aborted)
          log.debug({ event: 'database_listener_lost', err: error }, 'database listener lost');
      });
      backoffMs = performance.now() - startMs > maxBackoffMs ? firstBackoffMs : Math.min(maxBackoffMs, backoffMs * 2);
      await sleep(backoffMs, undefined, { signal: closing.signal, ref: false }).catch(() => {});
    }
  };
  const forget = (channel: string, onMessage: (payload: string | undefined) => void) => {
    const of = handlers.get(channel);
    of?.delete(onMessage);
    if (of?.size !== 0) return;
    handlers.delete(channel);
    attached?.query(`UNLISTEN ${pg.escapeIdentifier(channel)}`).catch(() => {});
  };
  const listen: Listen = async (channel, onMessage, signal) => {
    signal.throwIfAborted();
    const known = handlers.get(channel);
    handlers.set(channel, (known ?? new Set()).add(onMessage));
    signal.addEventListener('abort', () => forget(channel, onMessage), { once: true });
    const isReady = async () => {
      running ??= run();
      // A channel that was added while the connection was made is heard with it.
      if (attached === undefined) await firstAttached.promise;
      else if (known === undefined) await subscribe(attached, channel);
    };
    await within(isReady, { timeoutMs: connectTimeoutMs, signals: [signal] }).catch((error: unknown) => {
      signal.throwIfAborted();
      log.debug({ event: 'database_listener_lost', err: error }, 'database listener lost');
    });
  };
  return {
    listen,
    async close(): Promise<void> {
      closing.abort();
      await running;
    },
  };
}
