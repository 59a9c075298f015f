import type { HandlerContext } from '@connectrpc/connect';
import { callerOf } from '#kit/rpc/context.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import type { TenantIndices } from '../index/tenant-indices.ts';

/** Runs a change of the caller's index. Changes of one index run one after the other. Returns what `work` returns. */
export function changeIndex<T>(
  indices: TenantIndices,
  context: HandlerContext,
  work: (index: TenantIndex) => Promise<T>,
): Promise<T> {
  return indices.use(callerOf(context).tenant, (index) => index.exclusive(context.signal, () => work(index)));
}
