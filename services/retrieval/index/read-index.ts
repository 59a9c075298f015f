import { unavailable } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { IndexRegistry } from './index-registry.ts';
import { emptyIndexView, type IndexView } from './index-view.ts';

/** Times that a read begins: again if another replica has dropped a version meanwhile. */
export const maxReads = 3;

/**
 * Runs a read of the caller's index over one view and returns its result: an empty view if the tenant has no index. It runs again if
 * another replica has dropped a version of the view meanwhile, because its rows may have been missing.
 */
export async function readIndex<T>(
  indices: IndexRegistry,
  { principal, signal }: Pick<CallContext, 'principal' | 'signal'>,
  work: (view: IndexView) => Promise<T>,
): Promise<T> {
  const held = await indices.acquire(principal.tenant, signal);
  if (held === undefined) return work(emptyIndexView);
  try {
    for (let count = 1; count <= maxReads; count++) {
      const read = held.index.beginRead();
      try {
        const result = await work(read.view);
        if (await read.isWhole(signal)) return result;
      } finally {
        read.end();
      }
    }
    throw droppedMeanwhile();
  } finally {
    held.release();
  }
}

/** Returns the error of a read whose versions were dropped again and again. */
export const droppedMeanwhile = () =>
  unavailable('retrieval', 'versions of the index were dropped during the read: try again');
