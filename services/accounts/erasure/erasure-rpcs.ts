import { create, toJson } from '@bufbuild/protobuf';
import type { AccountErasureService } from '#gen/ragmesh/accounts/v1/account_erasure_pb.ts';
import { type ApiKey, ApiKeySchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { StoredLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import { changeOf, type KeyDeps } from '../keys/key-rpcs.ts';
import { toStoredLimit } from '../limits/limit-store.ts';
import { recordOrLog } from '../records/changes.ts';
import { change, secretsOf, toApiKey, toKeyBytes } from '../records/store.ts';
import { keysOfUser, type NamingKey } from './keys-of-user.ts';
import { erasedUser, eraseFromLimits, limitsOfUser } from './limits-of-user.ts';

/** Returns the rpcs that erase and export what is stored of a user. */
export function createErasureRpcs({
  db,
  changes,
  clock,
  log,
}: Omit<KeyDeps, 'config'>): ServiceHandlers<typeof AccountErasureService> {
  /** Removes a user from a key; returns the key, and whether this has ended it. */
  const erase = ({ row: { id }, key, isOwn, isMade }: NamingKey, tenant: string) =>
    change(db, async (transaction, revision) => {
      const left = create(ApiKeySchema, { ...key, ...(isMade && { createdBy: `${tenant}/${erasedUser}` }) });
      if (!isOwn) {
        await transaction
          .updateTable('api_key')
          .set({ message: toKeyBytes(left) })
          .where('id', '=', id)
          .execute();
        return { left, isEnded: false };
      }
      const own = withoutUser(left);
      const { revoked_at } = await transaction
        .selectFrom('api_key')
        .select('revoked_at')
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      await transaction
        .updateTable('api_key')
        .set({ message: toKeyBytes(own), revoked_at: revoked_at ?? clock(), revision })
        .where('id', '=', id)
        .execute();
      await transaction.deleteFrom('api_key_secret').where('key_id', '=', id).execute();
      return { left: own, isEnded: revoked_at === null };
    });
  return {
    async eraseAccountUser({ user }, context) {
      const { principal, signal } = context;
      const { tenant } = principal;
      let [ownKeyCount, madeKeyCount] = [0n, 0n];
      for await (const naming of keysOfUser(db, { tenant, user }, signal)) {
        const { left, isEnded } = await erase(naming, tenant);
        // As with any revocation, the key ends even while the audit is away.
        if (isEnded) await recordOrLog(changes, changeOf(ChangeAction.API_KEY_REVOKED, left), context, log);
        if (naming.isOwn) ownKeyCount++;
        if (naming.isMade) madeKeyCount++;
      }
      const limitCount = BigInt(await eraseFromLimits(db, { tenant, user }, clock()));
      await scrubDatabase(db);
      return { ownKeyCount, madeKeyCount, limitCount };
    },
    async *exportAccountUser({ user }, { principal: { tenant }, signal }) {
      for await (const { row, key, isOwn, isMade } of keysOfUser(db, { tenant, user }, signal)) {
        if (isOwn) {
          const secrets = (await secretsOf(db, [row.id])).get(row.id) ?? [];
          yield line('own_key', toApiKey(row, secrets));
        }
        if (isMade && !isOwn) yield line('made_key', ofAnother(key));
      }
      for (const { row, isOwn } of await limitsOfUser(db, { tenant, user })) {
        // Other members of a cost centre are other persons.
        const { target, limit, raise } = toStoredLimit(row);
        const amounts = isOwn ? { ...(limit && { limit }), ...(raise && { raise }) } : {};
        const shown = create(StoredLimitSchema, { ...(target && { target }), ...amounts });
        yield { json: JSON.stringify({ kind: 'limit', limit: toJson(StoredLimitSchema, shown) }) };
      }
    },
  };
}

/** Returns a key without what it says of its user. */
function withoutUser(key: ApiKey): ApiKey {
  const user = key.user === '' ? '' : erasedUser;
  return create(ApiKeySchema, { ...key, user, name: erasedUser, groups: [], addresses: [], breakGlassReason: '' });
}

/** Returns what the maker of a key may learn of it: whose it is, is of another person. */
function ofAnother({ id, tenant, kind, roles, createdAt, createdBy }: ApiKey): ApiKey {
  return create(ApiKeySchema, { ...{ id, tenant, kind, roles, createdBy }, ...(createdAt && { createdAt }) });
}

function line(kind: 'own_key' | 'made_key', key: ApiKey): { json: string } {
  return { json: JSON.stringify({ kind, key: toJson(ApiKeySchema, key) }) };
}
