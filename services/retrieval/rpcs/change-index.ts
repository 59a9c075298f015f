import type { CallContext } from '#kit/rpc/context.ts';
import type { IndexRegistry } from '../index/index-registry.ts';
import type { TenantIndex } from '../index/tenant-index.ts';

/** Runs a change of the caller's index when the changes before it have ended, and returns its result. */
export function changeIndex<T>(
  indices: IndexRegistry,
  context: CallContext,
  work: (index: TenantIndex) => Promise<T>,
): Promise<T> {
  return indices.use(context.principal.tenant, (index) => index.exclusive(context.signal, () => work(index)));
}
