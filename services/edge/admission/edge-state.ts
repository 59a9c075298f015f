import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { SharedState, StateDeps } from '#kit/host/define-service.ts';
import type { EdgeSettings } from '../config.ts';
import type { Bucket, Limiter, LimiterDeps, Verdict } from './limiter.ts';

/** What the edges of a group count together. */
export interface EdgeState {
  /** Takes one token from each bucket, or from none; see the port of the limiter. */
  take(buckets: readonly Bucket[], signal?: AbortSignal): Promise<Verdict>;
  /** Counts one more running call of a user. Resolves to false, and counts nothing, if `max` of them run. */
  begin(user: string, max: number): Promise<boolean>;
  /** Ends a call of each user; a user is named once for each call. */
  end(users: readonly string[]): Promise<void>;
}

/** Opens the counters. Calls of a process that ends without a word end with it. */
export async function openEdgeState({
  config,
  clock,
  log,
}: Pick<StateDeps<EdgeSettings>, 'config' | 'clock' | 'log'>): Promise<SharedState<EdgeState>> {
  const limiter = await createFromAdapter<Limiter, LimiterDeps>(
    new URL('../adapters/limiter/', import.meta.url),
    config.limiter.adapter,
    config.limiter.settings,
    { clock, log },
    'edge.limiter',
  );
  // Holds only users with a running call, so the calls themselves bound it.
  const running = new Map<string, number>();
  return {
    connect() {
      const own = new Map<string, number>();
      return {
        port: {
          take: (buckets, signal) => limiter.take(buckets, signal),
          async begin(user, max) {
            if ((running.get(user) ?? 0) >= max) return false;
            add(running, user, 1);
            add(own, user, 1);
            return true;
          },
          async end(users) {
            for (const user of users) {
              // A call that began before its counter was lost has none to end.
              if (!own.has(user)) continue;
              add(running, user, -1);
              add(own, user, -1);
            }
          },
        },
        close() {
          for (const [user, count] of own) add(running, user, -count);
          own.clear();
        },
      };
    },
    readiness: limiter.readiness === undefined ? [] : [limiter.readiness],
    close: () => limiter.close(),
  };
}

function add(counts: Map<string, number>, user: string, change: number): void {
  const count = (counts.get(user) ?? 0) + change;
  if (count === 0) counts.delete(user);
  else counts.set(user, count);
}
