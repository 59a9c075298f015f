import { fromBinary } from '@bufbuild/protobuf';
import { type StoredLimit, StoredLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { write } from '../limits/limit-store.ts';
import type { AccountsSchema, LimitRow } from '../records/schema.ts';
import { change } from '../records/store.ts';
import type { User } from './keys-of-user.ts';

/** A stored limit that names a user: the user's own, or that of a cost centre with the user. */
export interface NamingLimit {
  row: LimitRow;
  limit: StoredLimit;
  isOwn: boolean;
}

/** Returns the stored limits that name a user. A tenant has at most some thousands. */
export async function limitsOfUser(
  db: Database<AccountsSchema>,
  { tenant, user }: User,
): Promise<readonly NamingLimit[]> {
  const rows = await db
    .selectFrom('spend_limit')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('layer', 'in', ['user', 'cost_centre'])
    .orderBy('layer')
    .orderBy('name')
    .execute();
  return rows.flatMap((row) => {
    const limit = fromBinary(StoredLimitSchema, row.message);
    const isOwn = row.layer === 'user' && row.name === user;
    return isOwn || limit.users.includes(user) ? [{ row, limit, isOwn }] : [];
  });
}

/** Removes the own limits of a user, and the user from cost centres; returns in how many limits the user was. */
export async function eraseFromLimits(db: Database<AccountsSchema>, who: User, nowMs: number): Promise<number> {
  return change(db, async (transaction, revision) => {
    const found = await limitsOfUser(transaction, who);
    for (const { row, limit, isOwn } of found) {
      const users = limit.users.filter((user) => user !== who.user);
      // A centre without members would have those of the configuration.
      const isEmpty = !isOwn && users.length + limit.keys.length === 0;
      const state = isOwn ? { keys: [], users: [] } : { ...limit, users: isEmpty ? [erasedUser] : users };
      await write(transaction, row, state, nowMs, revision);
    }
    return found.length;
  });
}

/** Takes the place of an erased user. */
export const erasedUser = 'erased-user';
