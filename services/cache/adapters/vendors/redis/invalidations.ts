import type { StoredAnswer, StoreListener } from '../../../answers/answer-store.ts';

/** The invalidations of a tenant when they were read from Redis. */
export interface TenantState {
  /** "era.count". */
  epoch: string;
  era: string;
  count: number;
  /** For each label, the count of its last invalidation; "*": of all answers. */
  counts: ReadonlyMap<string, number>;
  /** Answers that were stored before this time are invalid, in milliseconds since 1970; 0: none. */
  storedBeforeMs: number;
}

/** The invalidations of every tenant, as far as this process knows. */
export type Invalidations = ReturnType<typeof createInvalidations>;

/** Creates it. `read` returns what Redis has: the epoch, then labels and counts in turn. */
export function createInvalidations(
  listener: StoreListener,
  read: (tenant: string) => Promise<[epoch: string, counts: string[]]>,
) {
  // Tenants come from signed tokens, so there are only as many as the operator has.
  const states = new Map<string, TenantState & { bytes: Buffer }>();

  const refresh = async (tenant: string): Promise<TenantState> => {
    const [epoch, pairs] = await read(tenant);
    const counts = new Map<string, number>();
    let storedBeforeMs = 0;
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      if (pairs[index] === '<') storedBeforeMs = Number(pairs[index + 1]);
      else if (pairs[index] !== '#') counts.set(pairs[index] as string, Number(pairs[index + 1]));
    }
    const dot = epoch.lastIndexOf('.');
    const bytes = Buffer.from(epoch);
    const [era, count] = [epoch.slice(0, dot), Number(epoch.slice(dot + 1))];
    const state = { epoch, era, count, counts, storedBeforeMs, bytes };
    const before = states.get(tenant);
    // Replies may arrive in another order than their requests.
    if (before !== undefined && before.era === state.era && before.count > state.count) return before;
    states.set(tenant, state);
    listener.epoch(tenant, epoch);
    if (before !== undefined) report(tenant, before, state);
    return state;
  };

  // Memory learns of invalidations here too, because a message may be lost.
  const report = (tenant: string, before: TenantState, state: TenantState) => {
    const isNewEra = before.era !== state.era;
    if (isNewEra || (state.counts.get('*') ?? 0) > before.count) {
      listener.invalidated(tenant, { kind: 'all' });
      return;
    }
    const { storedBeforeMs } = state;
    if (storedBeforeMs > before.storedBeforeMs) listener.invalidated(tenant, { kind: 'before', storedBeforeMs });
    for (const [label, count] of state.counts) {
      if (count > before.count) listener.invalidated(tenant, { kind: 'label', label });
    }
  };

  return {
    refresh,

    /** Returns what is known if `epoch` shows that it is up to date. */
    known(tenant: string, epoch: Buffer | null | undefined): TenantState | undefined {
      const state = states.get(tenant);
      return state !== undefined && epoch && state.bytes.equals(epoch) ? state : undefined;
    },

    /** Reads the invalidations of every known tenant. */
    async refreshAll(): Promise<void> {
      for (const tenant of states.keys()) await refresh(tenant);
    },

    /** Returns whether an answer that began in `epoch` is invalid. */
    concern({ era, counts, storedBeforeMs }: TenantState, epoch: string, answer: StoredAnswer): boolean {
      const { labels, storedAtMs } = answer;
      const dot = epoch.lastIndexOf('.');
      if (epoch.slice(0, dot) !== era || storedAtMs < storedBeforeMs) return true;
      if (counts.size === 0) return false;
      const since = Number(epoch.slice(dot + 1));
      return (counts.get('*') ?? 0) > since || labels.some((label) => (counts.get(label) ?? 0) > since);
    },
  };
}
