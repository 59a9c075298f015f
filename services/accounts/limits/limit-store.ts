import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { LimitTargetSchema, type StoredLimit, StoredLimitSchema } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, rpcError } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AccountsSchema, LimitRow } from '../records/schema.ts';
import { type Changing, change } from '../records/store.ts';

/** What a limit is of; the name of the layer "tenant" is empty. */
export interface LimitKey {
  tenant: string;
  layer: string;
  name: string;
}

/** What of a limit is stored beside its key. */
export type LimitState = Pick<StoredLimit, 'keys' | 'users'> & Partial<Pick<StoredLimit, 'limit' | 'raise'>>;

/** The etag of what is not stored. */
const absentEtag = '0';
const nothing: LimitState = { keys: [], users: [] };

/** A change of a limit. */
export interface LimitChange {
  /** The etag that the caller has read; empty: any. */
  expectedEtag: string;
  /** Returns the state after the change. What it throws undoes the change. */
  next(state: LimitState): LimitState;
  /** Records the change before it is made. */
  record(state: LimitState): Promise<void>;
  maxLimits: number;
  nowMs: number;
}

/**
 * Changes a limit; one that is left without limit and raise is removed. Throws ABORTED if another state is stored than the caller has read, and
 * FAILED_PRECONDITION if the tenant has too many.
 */
export async function changeLimit(
  db: Database<AccountsSchema>,
  key: LimitKey,
  { expectedEtag, next, record, maxLimits, nowMs }: LimitChange,
): Promise<StoredLimit> {
  return change(db, async (transaction, revision) => {
    const row = await select(transaction, key).executeTakeFirst();
    if (expectedEtag !== '' && expectedEtag !== etagOf(row)) {
      const message = 'the limit has changed since it was read: read it again, and make the change again';
      throw rpcError(Code.Aborted, ErrorReason.CHANGED_MEANWHILE, message);
    }
    const state = next(row === undefined ? nothing : fromBinary(StoredLimitSchema, row.message));
    if (row === undefined) await requireRoom(transaction, key.tenant, maxLimits);
    const written = await write(transaction, key, state, nowMs, revision);
    await record(state);
    return toStoredLimit(written);
  });
}

/** Writes a state, and notes that the tenant has changed. */
export async function write(
  transaction: Changing,
  key: LimitKey,
  state: LimitState,
  nowMs: number,
  revision: number,
): Promise<LimitRow> {
  const { limit, raise, keys, users } = state;
  const kept = create(StoredLimitSchema, { keys, users, ...(limit && { limit }), ...(raise && { raise }) });
  const row = { ...key, message: toBinary(StoredLimitSchema, kept), updated_at: nowMs, revision };
  await transaction
    .deleteFrom('spend_limit')
    .where('tenant', '=', key.tenant)
    .where('layer', '=', key.layer)
    .where('name', '=', key.name)
    .execute();
  if (limit !== undefined || raise !== undefined) await transaction.insertInto('spend_limit').values(row).execute();
  await transaction
    .insertInto('limited_tenant')
    .values({ tenant: key.tenant, revision })
    .onConflict((conflict) => conflict.column('tenant').doUpdateSet({ revision }))
    .execute();
  return row;
}

/** Returns the message of a row. */
export function toStoredLimit({ tenant, layer, name, message, updated_at, revision }: LimitRow): StoredLimit {
  return create(StoredLimitSchema, {
    ...fromBinary(StoredLimitSchema, message),
    target: create(LimitTargetSchema, { tenant, layer, name }),
    etag: String(revision),
    updatedAt: timestampFromMs(Number(updated_at)),
  });
}

function select(transaction: Changing, { tenant, layer, name }: LimitKey) {
  return transaction
    .selectFrom('spend_limit')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('layer', '=', layer)
    .where('name', '=', name);
}

const etagOf = (row: LimitRow | undefined): string => (row === undefined ? absentEtag : String(row.revision));

async function requireRoom(transaction: Changing, tenant: string, maxLimits: number): Promise<void> {
  const { count } = await transaction
    .selectFrom('spend_limit')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenant', '=', tenant)
    .executeTakeFirstOrThrow();
  if (Number(count) < maxLimits) return;
  const message = `the tenant has ${maxLimits} stored limits, and no more are allowed: remove those that are not used`;
  throw failedPrecondition(ErrorReason.LIMIT_REACHED, message, { metadata: { limit: String(maxLimits) } });
}
