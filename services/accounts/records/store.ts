import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Selectable, sql, type Transaction } from 'kysely';
import { type ApiKey, ApiKeySchema, ApiKeySecretSchema } from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AccountsSchema, KeyRow, SecretRow } from './schema.ts';

/** A transaction of a change. */
export type Changing = Transaction<AccountsSchema>;

/** Runs a change, one after another over all replicas; `work` gets its number. What it throws undoes the change. */
export async function change<T>(
  db: Database<AccountsSchema>,
  work: (transaction: Changing, revision: number) => Promise<T>,
): Promise<T> {
  return db.transaction().execute(async (transaction) => {
    const { value } = await transaction
      .insertInto('revision')
      .values({ name: 'accounts', value: 1 })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: sql`revision.value + 1` }))
      .returning('value')
      .executeTakeFirstOrThrow();
    return work(transaction, Number(value));
  });
}

/** Returns the number of the last change. */
export async function currentRevision(db: Database<AccountsSchema>): Promise<number> {
  const row = await db.selectFrom('revision').select('value').where('name', '=', 'accounts').executeTakeFirst();
  return Number(row?.value ?? 0);
}

/** Most secrets of a key that are kept: the valid ones, and the latest of the others. */
export const maxSecrets = 16;

/** Returns the secrets of keys by key, the latest first. */
export async function secretsOf(
  db: Database<AccountsSchema>,
  keyIds: readonly string[],
): Promise<Map<string, SecretRow[]>> {
  if (keyIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('api_key_secret')
    .selectAll()
    .where('key_id', 'in', keyIds)
    .orderBy('created_at', 'desc')
    .orderBy('sha256')
    .execute();
  return Map.groupBy(rows, ({ key_id }) => key_id);
}

/** Returns the bytes of a key as its row holds them. */
export function toKeyBytes(key: ApiKey): Uint8Array {
  return toBinary(ApiKeySchema, { ...key, secrets: [] });
}

/** Returns the key of a row, with its secrets. */
export function toApiKey(
  row: Pick<Selectable<KeyRow>, 'message' | 'revoked_at'>,
  secrets: readonly SecretRow[],
): ApiKey {
  const key = fromBinary(ApiKeySchema, row.message);
  return create(ApiKeySchema, {
    ...key,
    ...(row.revoked_at !== null && { revokedAt: timestampFromMs(Number(row.revoked_at)) }),
    secrets: secrets.slice(0, maxSecrets).map((secret) =>
      create(ApiKeySecretSchema, {
        fingerprint: secret.sha256.slice(0, 12),
        createdAt: timestampFromMs(Number(secret.created_at)),
        ...(secret.expires_at !== null && { expiresAt: timestampFromMs(Number(secret.expires_at)) }),
        ...(secret.last_used_at !== null && { lastUsedAt: timestampFromMs(Number(secret.last_used_at)) }),
        lastAddress: secret.last_address,
        useCount: BigInt(secret.use_count),
      }),
    ),
  });
}
