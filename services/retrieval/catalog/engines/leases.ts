import { setTimeout as sleep } from 'node:timers/promises';
import { abortedBy, unavailable } from '#kit/base/errors.ts';
import type { PostgresConnection } from '#kit/storage/postgres/pool.ts';

// The right to change a tenant, which one process has at a time. It is a row, not a lock of a session: it survives a lost connection, so that
// the store work of its holder ends before another one begins, and it works behind a pooler. Each taking has a higher fence, and a
// transaction of the catalog fails once the fence has moved: a holder that was believed dead cannot write any more.

/** A right that this process has. */
export interface Lease {
  readonly fence: number;
  /** Returns whether the right has not ended, by the clock of this process. */
  isCurrent(): boolean;
  /** Returns the right. A failure is not reported: the right then ends by itself. */
  release(): Promise<void>;
}

/** The rights to change tenants. */
export interface Leases {
  /** Takes the right to change a tenant. Waits for other processes until `signal` aborts, and throws UNAVAILABLE after {@link longestWaitMs}. */
  take(tenant: string, signal: AbortSignal): Promise<Lease>;
}

/** Time after which a right ends whose holder does not renew it, because it was killed or cannot reach the database. */
const leaseMs = 6000;
/** Time between two renewals. */
const renewEveryMs = 1500;
/** Longest wait for another process. */
const longestWaitMs = 30_000;
/** Bounds of the pause between two attempts. */
const firstPauseMs = 5;
const longestPauseMs = 100;
/** Longest pause of the process that is next. */
const longestPauseOfNextMs = 25;
/** Time for which the next right is kept for the process that has waited longest, so that others cannot take it again and again. */
const wantedMs = 1000;

/** Creates the rights in a table. `holder` is unique to this process. */
export function createLeases(
  database: PostgresConnection,
  table: string,
  holder: string,
  { random, clock }: { random: () => number; clock: () => number },
): Leases {
  const take = `INSERT INTO ${table} AS held (tenant, fence, expires_at)
    VALUES ($1, 1, clock_timestamp() + interval '${leaseMs} ms')
    ON CONFLICT (tenant) DO UPDATE
      SET fence = held.fence + 1, expires_at = excluded.expires_at, wanted_by = '', wanted_until = '-infinity'
      WHERE held.expires_at <= clock_timestamp() AND (held.wanted_by COLLATE "C" >= $2 OR held.wanted_until <= clock_timestamp())
    RETURNING fence`;
  const want = `UPDATE ${table} SET wanted_by = $2, wanted_until = clock_timestamp() + interval '${wantedMs} ms'
    WHERE tenant = $1 AND (wanted_by COLLATE "C" >= $2 OR wanted_until <= clock_timestamp()) RETURNING tenant`;
  const renew = `UPDATE ${table} SET expires_at = clock_timestamp() + interval '${leaseMs} ms'
    WHERE tenant = $1 AND fence = $2 RETURNING fence`;
  const release = `UPDATE ${table} SET expires_at = '-infinity' WHERE tenant = $1 AND fence = $2`;

  const hold = (tenant: string, fence: number, takenAt: number): Lease => {
    let lastAt = takenAt;
    let isRenewing = false;
    const renewNow = async () => {
      const sentAt = performance.now();
      isRenewing = true;
      try {
        const renewed = await database.query(renew, [tenant, fence]);
        if (renewed.length > 0) lastAt = sentAt;
      } catch {
        // Without a renewal the right ends, and the holder's next write fails.
      } finally {
        isRenewing = false;
      }
    };
    const timer = setInterval(() => {
      if (!isRenewing) void renewNow();
    }, renewEveryMs);
    return {
      fence,
      isCurrent: () => performance.now() - lastAt < leaseMs,
      async release() {
        clearInterval(timer);
        await database.query(release, [tenant, fence]).catch(() => {});
      },
    };
  };
  return {
    async take(tenant, signal) {
      const startedAt = performance.now();
      // Sorts by the time of arrival, so that the process that waits longest is next (by the clocks of the processes).
      const ticket = `${String(clock()).padStart(15, '0')} ${holder}`;
      let pauseMs = firstPauseMs;
      for (;;) {
        const sentAt = performance.now();
        const [row] = await database.query<{ fence: number }>(take, [tenant, ticket]);
        if (row !== undefined) return hold(tenant, row.fence, sentAt);
        if (performance.now() - startedAt > longestWaitMs) {
          throw unavailable('retrieval', "another replica is changing the tenant's index: try again");
        }
        const isNext = (await database.query(want, [tenant, ticket])).length > 0;
        await sleep(pauseMs * (0.5 + random() / 2), undefined, { signal }).catch(() => {
          throw abortedBy(signal);
        });
        pauseMs = Math.min(isNext ? longestPauseOfNextMs : longestPauseMs, pauseMs * 2);
      }
    },
  };
}
