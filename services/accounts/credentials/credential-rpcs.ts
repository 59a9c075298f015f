import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import type { CredentialService, KeyUse } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import { type Changes, recordOrLog } from '../records/changes.ts';
import type { AccountsSchema } from '../records/schema.ts';
import { currentRevision, secretsOf, toApiKey } from '../records/store.ts';

/** Keys, and tenants, of one response. */
const pageSize = 500;

/** What the rpcs need. */
export interface CredentialDeps {
  db: Database<AccountsSchema>;
  changes: Changes;
  clock: () => number;
  log: Logger;
}

/** Returns the rpcs for the edges. */
export function createCredentialRpcs({
  db,
  changes,
  clock,
  log,
}: CredentialDeps): ServiceHandlers<typeof CredentialService> {
  return {
    async syncCredentials({ afterRevision }) {
      const current = await currentRevision(db);
      if (Number(afterRevision) === current) return { revision: BigInt(current) };
      // An edge that knows more than the database: an older copy was restored.
      const isReset = Number(afterRevision) > current;
      const after = isReset ? 0 : Number(afterRevision);
      const [keys, tenants] = await Promise.all([changedKeys(db, after), changedTenants(db, after)]);
      // What is complete up to its last row; the rest follows with the next request.
      const ends = [keys, tenants]
        .filter((rows) => rows.length === pageSize)
        .map((rows) => Number(rows.at(-1)?.revision));
      const hasMore = ends.length > 0;
      const revision = hasMore ? Math.min(...ends) : lastOf(current, keys, tenants);
      const chosen = keys.filter((row) => Number(row.revision) <= revision);
      const secrets = await secretsOf(
        db,
        chosen.filter(({ revoked_at }) => revoked_at === null).map(({ id }) => id),
      );
      const nowMs = clock();
      return {
        revision: BigInt(revision),
        isReset,
        hasMore,
        credentials: chosen.map((row) => ({
          key: toApiKey(row, []),
          secrets: (secrets.get(row.id) ?? [])
            .filter(({ expires_at }) => expires_at === null || Number(expires_at) > nowMs)
            .map(({ sha256, expires_at }) => ({
              sha256,
              ...(expires_at !== null && { expiresAt: timestampFromMs(Number(expires_at)) }),
            })),
        })),
        tenants: tenants
          .filter((row) => Number(row.revision) <= revision)
          .map(({ tenant, is_disabled }) => ({ tenant, isDisabled: Number(is_disabled) === 1 })),
      };
    },

    async reportKeyUses({ uses }, context) {
      const { tenant } = context.principal;
      const rows = await db
        .selectFrom('api_key_secret')
        .innerJoin('api_key', 'api_key.id', 'api_key_secret.key_id')
        .select(['api_key_secret.sha256', 'api_key.id', 'api_key.message', 'api_key.revoked_at'])
        .where('api_key.tenant', '=', tenant)
        .where(
          'api_key_secret.sha256',
          'in',
          uses.map(({ sha256 }) => sha256),
        )
        .execute();
      const keys = new Map(rows.map((row) => [row.sha256, toApiKey(row, [])]));
      for (const use of uses) {
        const key = keys.get(use.sha256);
        if (key === undefined) continue;
        await addUse(db, use);
        if (key.breakGlassReason === '') continue;
        const { lastAddress, useCount } = use;
        const detailJson = JSON.stringify({ requests: Number(useCount), lastAddress });
        const { id: resource, breakGlassReason: reason } = key;
        await recordOrLog(
          changes,
          { action: ChangeAction.BREAK_GLASS_USED, tenant, resource, reason, detailJson },
          context,
          log,
        );
      }
      return {};
    },
  };
}

async function changedKeys(db: Database<AccountsSchema>, after: number) {
  return db
    .selectFrom('api_key')
    .selectAll()
    .where('revision', '>', after)
    .orderBy('revision')
    .limit(pageSize)
    .execute();
}

async function changedTenants(db: Database<AccountsSchema>, after: number) {
  return db
    .selectFrom('tenant')
    .selectAll()
    .where('revision', '>', after)
    .orderBy('revision')
    .limit(pageSize)
    .execute();
}

/** Returns the revision that these rows lead to: a change may have been made after the current one was read. */
function lastOf(current: number, ...lists: { revision: number }[][]): number {
  return Math.max(current, ...lists.map((rows) => Number(rows.at(-1)?.revision ?? 0)));
}

async function addUse(
  db: Database<AccountsSchema>,
  { sha256, useCount, lastUsedAt, lastAddress }: KeyUse,
): Promise<void> {
  const usedAt = lastUsedAt === undefined ? 0 : timestampMs(lastUsedAt);
  await db
    .updateTable('api_key_secret')
    .set({
      use_count: sql`use_count + ${Number(useCount)}`,
      last_address: sql`CASE WHEN last_used_at IS NULL OR last_used_at <= ${usedAt} THEN ${lastAddress} ELSE last_address END`,
      last_used_at: sql`CASE WHEN last_used_at IS NULL OR last_used_at <= ${usedAt} THEN ${usedAt} ELSE last_used_at END`,
    })
    .where('sha256', '=', sha256)
    .execute();
}
