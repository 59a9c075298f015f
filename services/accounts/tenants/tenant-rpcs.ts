import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { TenantService } from '#gen/ragmesh/accounts/v1/tenant_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Changes } from '../records/changes.ts';
import { fromPageToken, toPageToken } from '../records/page-token.ts';
import type { AccountsSchema, TenantRow } from '../records/schema.ts';
import { change } from '../records/store.ts';

const defaultPageSize = 50;

/** Returns the rpcs for those who run the installation. A change is in the tenant's audit before it is made. */
export function createTenantRpcs(
  db: Database<AccountsSchema>,
  changes: Changes,
  clock: () => number,
): ServiceHandlers<typeof TenantService> {
  return {
    async putTenant({ tenant, displayName, isDisabled }, context) {
      const nowMs = clock();
      const stored = await change(db, async (transaction, revision) => {
        const fields = { display_name: displayName, is_disabled: isDisabled ? 1 : 0, updated_at: nowMs, revision };
        const row = await transaction
          .insertInto('tenant')
          .values({ tenant, created_at: nowMs, ...fields })
          .onConflict((conflict) => conflict.column('tenant').doUpdateSet(fields))
          .returningAll()
          .executeTakeFirstOrThrow();
        const detailJson = JSON.stringify({ tenant, displayName, isDisabled });
        await changes.record({ action: ChangeAction.TENANT_PUT, tenant, resource: tenant, detailJson }, context);
        return row;
      });
      return { tenant: toTenant(stored) };
    },

    async listTenants({ pageSize, pageToken }) {
      const limit = pageSize || defaultPageSize;
      const [after] = fromPageToken(pageToken, 1);
      let query = db.selectFrom('tenant').selectAll();
      if (after !== undefined) query = query.where('tenant', '>', after);
      const rows = await query
        .orderBy('tenant')
        .limit(limit + 1)
        .execute();
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        tenants: page.map(toTenant),
        nextPageToken: rows.length > limit && last ? toPageToken([last.tenant]) : '',
      };
    },
  };
}

function toTenant({ tenant, display_name, is_disabled, created_at, updated_at }: TenantRow) {
  return {
    tenant,
    displayName: display_name,
    isDisabled: Number(is_disabled) === 1,
    createdAt: timestampFromMs(Number(created_at)),
    updatedAt: timestampFromMs(Number(updated_at)),
  };
}
