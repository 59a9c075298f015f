import type { LimitSyncService } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AccountsSchema } from '../records/schema.ts';
import { currentRevision } from '../records/store.ts';
import { toStoredLimit } from './limit-store.ts';

/** Tenants of one response, each with all of its limits. */
const tenantsAtOnce = 10;

/** Returns the rpcs for the gateways. */
export function createLimitSyncRpcs(db: Database<AccountsSchema>): ServiceHandlers<typeof LimitSyncService> {
  return {
    async syncLimits({ afterRevision }) {
      const current = await currentRevision(db);
      if (Number(afterRevision) === current) return { revision: BigInt(current) };
      // A gateway that knows more than the database: an older copy was restored.
      const isReset = Number(afterRevision) > current;
      const changed = await db
        .selectFrom('limited_tenant')
        .selectAll()
        .where('revision', '>', isReset ? 0 : Number(afterRevision))
        .orderBy('revision')
        .limit(tenantsAtOnce)
        .execute();
      const hasMore = changed.length === tenantsAtOnce;
      const last = Number(changed.at(-1)?.revision ?? 0);
      const rows = await db
        .selectFrom('spend_limit')
        .selectAll()
        .where('tenant', 'in', ['', ...changed.map(({ tenant }) => tenant)])
        .execute();
      const byTenant = Map.groupBy(rows, ({ tenant }) => tenant);
      return {
        revision: BigInt(hasMore ? last : Math.max(current, last)),
        isReset,
        hasMore,
        tenants: changed.map(({ tenant }) => ({ tenant, limits: (byTenant.get(tenant) ?? []).map(toStoredLimit) })),
      };
    },
  };
}
