import type { AnswerStore, InvalidateTarget } from '../answers/answer-store.ts';

/** What has changed of a tenant's answers since a position. */
export interface News {
  position: number;
  /** What is not valid any more, oldest first. */
  targets: readonly InvalidateTarget[];
}

/** The changes of all tenants' answers, in their order. */
export interface Changes {
  /** Returns the position of a tenant now. */
  position(tenant: string): number;
  /** Returns the changes of a tenant since a position; everything has changed if that is not known any more. */
  since(tenant: string, position: number): News;
}

/** Changes of a tenant that are kept; a copy that is further behind starts again. */
const maxKept = 256;

interface TenantChanges {
  position: number;
  /** The latest ones; the last of them led to `position`. */
  targets: InvalidateTarget[];
}

/**
 * Watches a store: records what was removed from it or replaced in it. `firstPosition`: larger than every position of an earlier
 * process. `onChange` is called when a change of a tenant has a position.
 */
export function watchChanges(
  store: AnswerStore,
  firstPosition: number,
  onChange: (tenant: string) => void,
): { store: AnswerStore; changes: Changes } {
  // Tenants come from signed tokens, so there are only as many as the operator has.
  const tenants = new Map<string, TenantChanges>();
  const of = (tenant: string): TenantChanges => {
    const found = tenants.get(tenant) ?? { position: firstPosition, targets: [] };
    tenants.set(tenant, found);
    return found;
  };
  const record = (tenant: string, target: InvalidateTarget) => {
    const own = of(tenant);
    own.position++;
    own.targets.push(target);
    if (own.targets.length > maxKept) own.targets.shift();
    onChange(tenant);
  };
  return {
    store: {
      ...store,
      put(answer, options) {
        record(answer.tenant, { kind: 'entry', key: answer.key });
        return store.put(answer, options);
      },
      async invalidate(tenant, target) {
        const keys = await store.invalidate(tenant, target);
        // After the removal: a copy that is made once this is known has nothing of what was removed.
        record(tenant, target);
        return keys;
      },
    },
    changes: {
      position: (tenant) => of(tenant).position,
      since(tenant, position) {
        const own = of(tenant);
        const missed = own.position - position;
        if (missed < 0 || missed > own.targets.length) return { position: own.position, targets: [{ kind: 'all' }] };
        return { position: own.position, targets: missed === 0 ? [] : own.targets.slice(-missed) };
      },
    },
  };
}
