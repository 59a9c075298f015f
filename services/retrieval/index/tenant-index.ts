import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { TenantRecord } from '../catalog/versions.ts';
import { type IndexView, loadIndexView } from './index-view.ts';

/** A tenant's index in this process: its current view, and the queue of its changes. */
export interface TenantIndex {
  readonly tenant: string;
  /** The current view of readers. */
  readonly view: IndexView;
  /** Keys of chunks that are being purged: the catalog no longer has them, but a store may still find them. */
  readonly purgedKeys: Set<number>;
  /** Loads the view again after a change of the catalog, and returns it. */
  reload(): Promise<IndexView>;
  /**
   * Runs a change. Changes of a tenant run one after another. A change does not start once `signal` aborts. Throws
   * RESOURCE_EXHAUSTED if too many changes wait.
   */
  exclusive<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Begins a read of the current view. The caller must call `end` after the read. */
  beginRead(): { view: IndexView; end: () => void };
  /** Resolves when every read that has begun by now has ended, or after `timeoutMs`. */
  readsEnded(timeoutMs: number): Promise<void>;
  /** Returns a key that no document and no chunk has had. */
  nextKey(): number;
  /** Returns the number of an access list by its sorted groups; a new number for a new list. */
  aclIdOf(groups: readonly string[]): number;
}

/** Changes of a tenant that may wait. */
const maxWaiting = 1000;

/** Creates the index from the catalog's record. */
export async function createTenantIndex(catalog: Catalog, tenant: string, record: TenantRecord): Promise<TenantIndex> {
  let view = await loadIndexView(catalog, tenant, record, undefined);
  let { lastKey } = record;
  const aclIds = new Map(record.acls.map(({ aclId, groups }) => [JSON.stringify(groups), aclId]));
  let lastAclId = Math.max(0, ...aclIds.values());
  const reads = new Set<Promise<void>>();
  const purgedKeys = new Set<number>();
  let tail: Promise<unknown> = Promise.resolve();
  let waitingCount = 0;

  return {
    tenant,
    purgedKeys,
    get view() {
      return view;
    },
    async reload() {
      view = await loadIndexView(catalog, tenant, await catalog.versions.load(tenant), view);
      return view;
    },
    async exclusive(signal, work) {
      if (waitingCount >= maxWaiting) {
        const message = `${maxWaiting} changes of the tenant wait: try again shortly`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 1000 });
      }
      waitingCount++;
      const run = async () => {
        signal.throwIfAborted();
        return work();
      };
      const result = tail.then(run).finally(() => waitingCount--);
      // The caller gets the error of a failed change; the next change starts anyway.
      tail = result.catch(() => {});
      return result;
    },
    beginRead() {
      const { promise, resolve } = Promise.withResolvers<void>();
      reads.add(promise);
      return {
        view,
        end: () => {
          reads.delete(promise);
          resolve();
        },
      };
    },
    async readsEnded(timeoutMs) {
      if (reads.size > 0) await within(() => Promise.all(reads), { timeoutMs }).catch(() => {});
    },
    nextKey: () => ++lastKey,
    aclIdOf(groups) {
      const key = JSON.stringify(groups);
      let aclId = aclIds.get(key);
      if (aclId === undefined) {
        aclId = ++lastAclId;
        aclIds.set(key, aclId);
      }
      return aclId;
    },
  };
}
