import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { TenantRecord } from '../catalog/versions.ts';
import { loadTenantState, type TenantState } from './tenant-state.ts';

/** A tenant's index in this process: what readers see, and the one queue of its changes. */
export interface TenantIndex {
  readonly tenant: string;
  /** What readers see now. */
  readonly state: TenantState;
  /** Keys of chunks that are being purged: catalogued no more, but a store may still find them. */
  readonly purgedKeys: Set<number>;
  /** Reads the state again after the catalog has changed. */
  reload(): Promise<TenantState>;
  /** Runs a change; changes of a tenant run one after another. A change whose caller has left is not begun. */
  exclusive<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Begins a read of the present state. Call the function that comes with it when the read is over. */
  beginRead(): { state: TenantState; end: () => void };
  /** Resolves when every read that has begun by now is over, or after `timeoutMs`. */
  readsEnded(timeoutMs: number): Promise<void>;
  /** A number for a document or chunk that none has had. */
  nextKey(): number;
  /** The number of an access list, by its sorted groups; a new one where there is none. */
  aclIdOf(groups: readonly string[]): number;
}

/** Changes that may wait for their turn. */
const maxWaiting = 1000;

/** Creates the index from the catalog's record. */
export async function createTenantIndex(catalog: Catalog, tenant: string, record: TenantRecord): Promise<TenantIndex> {
  let state = await loadTenantState(catalog, tenant, record, undefined);
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
    get state() {
      return state;
    },
    async reload() {
      state = await loadTenantState(catalog, tenant, await catalog.versions.load(tenant), state);
      return state;
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
      // Whoever waits for the result has its error; the next change begins all the same.
      tail = result.catch(() => {});
      return result;
    },
    beginRead() {
      const { promise, resolve } = Promise.withResolvers<void>();
      reads.add(promise);
      return {
        state,
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
