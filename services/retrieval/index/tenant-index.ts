import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { createSharedRun } from '../catalog/engines/shared-run.ts';
import { type IndexView, loadIndexView } from './index-view.ts';

/** A tenant's index in this process: its current view, and the queue of its changes. */
export interface TenantIndex {
  readonly tenant: string;
  /** The view of readers: current after {@link refresh}. */
  readonly view: IndexView;
  /** Loads the view again after a change of the catalog, and returns it. */
  reload(): Promise<IndexView>;
  /** Loads the view again if another process has changed the catalog before this call. */
  refresh(signal: AbortSignal): Promise<IndexView>;
  /**
   * Runs a change on the current view. Changes of a tenant run one after another, in all processes together. A change does not start once
   * `signal` aborts. Throws RESOURCE_EXHAUSTED if too many changes wait.
   */
  exclusive<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Resolves when every change that waits by now has ended. */
  settled(): Promise<void>;
  /** Begins a read of the view. The caller must call `end` after the read. */
  beginRead(): IndexRead;
  /** Resolves when every read of this process that has begun by now has ended, or after `timeoutMs`. */
  readsEnded(timeoutMs: number): Promise<void>;
  /** Takes keys that no document and no chunk has had. Returns a function that gives one after another. Belongs to a change. */
  takeKeys(count: number): Promise<() => number>;
  /** Returns the number of each access list by its sorted groups; a new number for a new list. Belongs to a change. */
  aclIdsOf(lists: readonly (readonly string[])[]): Promise<number[]>;
}

/** A read of one view. */
export interface IndexRead {
  readonly view: IndexView;
  /** Returns whether everything that has been read belongs to the view: no other process has dropped one of its live versions, or one on trial. */
  isWhole(signal: AbortSignal): Promise<boolean>;
  end(): void;
}

/** Changes of a tenant that may wait. */
const maxWaiting = 1000;

/** Keys that are taken together, so that few batches of documents wait for them. */
const keyBlock = 16_384;

/** Loads the index. `recover` finishes what another process has left unfinished; it runs before a change, and belongs to it. `onChange` is called when the view has changed. */
export async function createTenantIndex(
  catalog: Catalog,
  tenant: string,
  recover: (index: TenantIndex) => Promise<void> = async () => {},
  onChange: (tenant: string, view: IndexView) => void = () => {},
): Promise<TenantIndex> {
  const { changes, numbers } = catalog;
  const aclIds = new Map<string, number>();
  const load = async (before: IndexView | undefined): Promise<IndexView> => {
    const record = await catalog.versions.load(tenant);
    for (const { aclId, groups } of record.acls) aclIds.set(JSON.stringify(groups), aclId);
    return loadIndexView(catalog, tenant, record, before);
  };
  let view = await load(undefined);
  /** The state that this process has left or found finished. */
  let checkedState: string | undefined;
  const keys = { next: 0, end: 0 };
  const reads = new Set<Promise<void>>();
  let tail: Promise<unknown> = Promise.resolve();
  let waitingCount = 0;

  const reload = createSharedRun(async () => {
    const loaded = await load(view);
    // The texts that another process has purged leave the memory of this one.
    if (changes.isShared && loaded.purgeCount !== view.purgeCount) catalog.passages.forgetAll(tenant);
    view = loaded;
    onChange(tenant, loaded);
    return view;
  });
  const refresh = async (signal: AbortSignal): Promise<IndexView> => {
    if (!changes.isShared) return view;
    const state = await changes.currentState(tenant, signal);
    return state === undefined || state === view.state ? view : reload();
  };
  const catchUp = async (signal: AbortSignal): Promise<void> => {
    if (!changes.isShared) return;
    await refresh(signal);
    if (view.state === checkedState) return;
    if (view.isUnfinished) await recover(index);
    checkedState = view.state;
  };
  const index: TenantIndex = {
    tenant,
    get view() {
      return view;
    },
    reload,
    refresh,
    async exclusive(signal, work) {
      if (waitingCount >= maxWaiting) {
        const message = `${maxWaiting} changes of the tenant wait: try again shortly`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 });
      }
      waitingCount++;
      const run = async () => {
        signal.throwIfAborted();
        return changes.exclusive(tenant, signal, async () => {
          await catchUp(signal);
          const result = await work();
          checkedState = view.state;
          return result;
        });
      };
      const result = tail.then(run).finally(() => waitingCount--);
      // The caller gets the error of a failed change; the next change starts anyway.
      tail = result.catch(() => {});
      return result;
    },
    async settled() {
      await tail;
    },
    beginRead() {
      const { promise, resolve } = Promise.withResolvers<void>();
      reads.add(promise);
      const begun = view;
      return {
        view: begun,
        async isWhole(signal) {
          const now = await refresh(signal);
          return now.state === begun.state || holdsLive(now, begun);
        },
        end: () => {
          reads.delete(promise);
          resolve();
        },
      };
    },
    async readsEnded(timeoutMs) {
      if (reads.size > 0) await within(() => Promise.all(reads), { timeoutMs }).catch(() => {});
    },
    async takeKeys(count) {
      if (keys.next + count > keys.end) {
        const size = Math.max(count, keyBlock);
        keys.next = await numbers.takeKeys(tenant, size);
        keys.end = keys.next + size;
      }
      const first = keys.next;
      keys.next += count;
      let given = 0;
      return () => first + given++;
    },
    async aclIdsOf(lists) {
      const texts = lists.map((groups) => JSON.stringify(groups));
      const unknown = [...new Map(texts.map((text, at) => [text, lists[at] as readonly string[]]))].filter(
        ([text]) => !aclIds.has(text),
      );
      if (unknown.length > 0) {
        const ids = await numbers.aclIdsOf(
          tenant,
          unknown.map(([, groups]) => groups),
        );
        for (const [at, [text]] of unknown.entries()) aclIds.set(text, ids[at] as number);
      }
      return texts.map((text) => aclIds.get(text) as number);
    },
  };
  return index;
}

/** Returns whether a view has every version that was live in an earlier one. */
function holdsLive(now: IndexView, before: IndexView): boolean {
  if (now.epoch !== before.epoch) return false;
  return [...before.corpora.values()].every(({ name, live, trial }) => {
    const versions = new Set(now.corpora.get(name)?.versions.map(({ version }) => version));
    return (live === 0 || versions.has(live)) && (trial === undefined || versions.has(trial.version));
  });
}
