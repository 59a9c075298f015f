import { fromBinary } from '@bufbuild/protobuf';
import { type ApiKey, ApiKeySchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AccountsSchema, KeyRow } from '../records/schema.ts';

/** A user of a tenant. */
export interface User {
  tenant: string;
  user: string;
}

/** A key that names a user. */
export interface NamingKey {
  row: KeyRow;
  key: ApiKey;
  /** Whether its calls are those of the user. */
  isOwn: boolean;
  /** Whether the user has made it. */
  isMade: boolean;
}

/** Keys that are read at a time. */
const keysAtOnce = 500;

/** Returns the keys that name a user: those of the user, and those that the user has made, of all tenants. Reads every key. */
export async function* keysOfUser(
  db: Database<AccountsSchema>,
  { tenant, user }: User,
  signal: AbortSignal,
): AsyncIterable<NamingKey> {
  const maker = `${tenant}/${user}`;
  for (let after = '', count = keysAtOnce; count === keysAtOnce; ) {
    signal.throwIfAborted();
    const rows = await db
      .selectFrom('api_key')
      .selectAll()
      .where('id', '>', after)
      .orderBy('id')
      .limit(keysAtOnce)
      .execute();
    for (const row of rows) {
      const key = fromBinary(ApiKeySchema, row.message);
      const isOwn = key.tenant === tenant && key.user === user;
      const isMade = key.createdBy === maker;
      if (isOwn || isMade) yield { row, key, isOwn, isMade };
    }
    count = rows.length;
    after = rows.at(-1)?.id ?? after;
  }
}
