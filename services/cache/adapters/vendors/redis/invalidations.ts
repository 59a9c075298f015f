import type { StoreListener } from '../../../answers/answer-store.ts';

/** The invalidations of a tenant, as Redis had them when they were read. */
export interface TenantState {
  /** "era.count". */
  epoch: string;
  era: string;
  count: number;
  /** Of each label the count of the last invalidation by it; "*": of all answers. */
  counts: ReadonlyMap<string, number>;
}

/** What this process knows of every tenant's invalidations. */
export type Invalidations = ReturnType<typeof createInvalidations>;

/** Creates it. `read` gives what Redis has: the epoch, then labels and counts in turn. */
export function createInvalidations(
  listener: StoreListener,
  read: (tenant: string) => Promise<[epoch: string, counts: string[]]>,
) {
  // Tenants come from signed tokens, so there are only as many as the operator has.
  const states = new Map<string, TenantState & { bytes: Buffer }>();

  const refresh = async (tenant: string): Promise<TenantState> => {
    const [epoch, pairs] = await read(tenant);
    const counts = new Map<string, number>();
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      if (pairs[index] !== '#') counts.set(pairs[index] as string, Number(pairs[index + 1]));
    }
    const dot = epoch.lastIndexOf('.');
    const bytes = Buffer.from(epoch);
    const state = { epoch, era: epoch.slice(0, dot), count: Number(epoch.slice(dot + 1)), counts, bytes };
    const before = states.get(tenant);
    // Answers may come in another order than they were asked for.
    if (before !== undefined && before.era === state.era && before.count > state.count) return before;
    states.set(tenant, state);
    listener.epoch(tenant, epoch);
    if (before !== undefined) tell(tenant, before, state);
    return state;
  };

  // What came since is told to memory here too: a message may have been lost.
  const tell = (tenant: string, before: TenantState, state: TenantState) => {
    const isNewEra = before.era !== state.era;
    if (isNewEra || (state.counts.get('*') ?? 0) > before.count) {
      listener.invalidated(tenant, { kind: 'all' });
      return;
    }
    for (const [label, count] of state.counts) {
      if (count > before.count) listener.invalidated(tenant, { kind: 'label', label });
    }
  };

  return {
    refresh,

    /** What is known, where `epoch` says that it is up to date. */
    known(tenant: string, epoch: Buffer | null | undefined): TenantState | undefined {
      const state = states.get(tenant);
      return state !== undefined && epoch && state.bytes.equals(epoch) ? state : undefined;
    },

    /** Reads the invalidations of every tenant that is known. */
    async refreshAll(): Promise<void> {
      for (const tenant of states.keys()) await refresh(tenant);
    },

    /** Whether an answer that was begun in `epoch` has been invalidated since. */
    concern({ era, counts }: TenantState, epoch: string, labels: readonly string[]): boolean {
      const dot = epoch.lastIndexOf('.');
      if (epoch.slice(0, dot) !== era) return true;
      if (counts.size === 0) return false;
      const since = Number(epoch.slice(dot + 1));
      return (counts.get('*') ?? 0) > since || labels.some((label) => (counts.get(label) ?? 0) > since);
    },
  };
}
