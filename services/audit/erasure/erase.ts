import { hash } from 'node:crypto';
import { ErasureKind } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { fromCanonicalBytes } from '../records/chain.ts';
import { ofChanges } from '../records/query.ts';
import { keyOf } from '../records/rows.ts';
import type { AuditSchema } from '../records/schema.ts';
import { isOfUser, resourceOf } from '../subjects/changes-of-users.ts';
import { appendReceipt } from './append-receipt.ts';
import { type EraseDeps, type Erasure, inTransaction } from './erasure.ts';
import { expireLedger, forgetUser, isInLedger } from './ledger-users.ts';
import { type Redactable, redactEntries, type SelectEntries, unredactedEntries } from './redact.ts';

/** What was found of a user. */
export interface ErasedUser {
  sealedCount: number;
  redactedCount: number;
  ledgerCount: number;
}

/** Destroys the key of a user, after the texts of entries that are not sealed. A second call does what the first one has not done. */
export async function eraseUser(
  deps: EraseDeps,
  erasure: Erasure,
  user: string,
  signal: AbortSignal,
): Promise<ErasedUser> {
  const { db, subjects } = deps;
  const { tenant, erasureId } = erasure;
  const namingCount = await redactNaming(deps, erasure, user, signal);
  const nothing = { sealedCount: 0, redactedCount: namingCount, ledgerCount: 0 };
  if (!(await isKnown(deps, tenant, user))) return nothing;
  // A user of clear entries gets a subject too: all of them have the same name, however often this is interrupted.
  const subject = (await subjects.ensure([{ tenant, user }])).get(keyOf(tenant, user))?.subject;
  if (subject === undefined) return nothing;
  const select = (after: number, limit: number) =>
    unredactedEntries(db, tenant)
      .where('entries.user', '=', user)
      .where('entries.sequence', '>', after)
      .limit(limit)
      .execute();
  const clearCount = await redactEntries(deps, erasure, { kind: ErasureKind.USER }, select, signal);
  const redactedCount = namingCount + clearCount;
  return inTransaction(deps, erasure, async (receipt) => {
    const { trx } = receipt;
    const removed = await trx.deleteFrom('subjects').where('subject', '=', subject).returning('subject').execute();
    // Another call has erased the user since.
    if (removed.length === 0) return { result: { ...nothing, redactedCount } };
    const sealed = await trx
      .selectFrom('entries')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('tenant', '=', tenant)
      .where('user', '=', subject)
      .where('redacted_by', 'is', null)
      .where('answer_id', 'not like', 'erasure/%')
      .executeTakeFirstOrThrow();
    const sealedCount = Number(sealed.count);
    const ledgerCount = await forgetUser(trx, tenant, user, subject);
    const about = { erasureId, kind: ErasureKind.USER, subject, sealedCount: BigInt(sealedCount) };
    const end = await appendReceipt(receipt, about);
    return { result: { sealedCount, redactedCount, ledgerCount }, end };
  });
}

/** Removes the texts of all answers that were made from a document; returns their number. */
export function eraseDocument(
  deps: EraseDeps,
  erasure: Erasure,
  { corpus, documentId }: { corpus: string; documentId: string },
  signal: AbortSignal,
): Promise<number> {
  const { db } = deps;
  const { tenant } = erasure;
  const shown = (after: number, limit: number) =>
    unredactedEntries(db, tenant)
      .innerJoin('entry_documents as shown', (join) =>
        join
          .onRef('shown.tenant', '=', 'entries.tenant')
          .on((eb) => eb('shown.sequence', '=', eb.fn.coalesce('entries.documents_of', 'entries.sequence'))),
      )
      .where('shown.document_id', '=', documentId)
      .where('entries.sequence', '>', after)
      .limit(limit)
      .execute();
  // Ids of documents are unique in a corpus only, so the record decides.
  const select = onlyThose(shown, ({ bytes }) => isMadeFrom(bytes, corpus, documentId));
  const documentDigest = hash('sha256', `${corpus}\0${documentId}`, 'buffer');
  return redactEntries(deps, erasure, { kind: ErasureKind.DOCUMENT, documentDigest }, select, signal);
}

/** Removes the name of a user, and why, from entries of others who have looked as the user or set the user's limits. */
function redactNaming(deps: EraseDeps, erasure: Erasure, user: string, signal: AbortSignal): Promise<number> {
  const changes = (after: number, limit: number) =>
    unredactedEntries(deps.db, erasure.tenant)
      .where(ofChanges)
      .where('entries.sequence', '>', after)
      .limit(limit)
      .execute();
  const select = onlyThose(changes, ({ bytes }) => {
    const change = fromCanonicalBytes(bytes).record?.change;
    return change !== undefined && isOfUser(change) && change.resource === resourceOf(change.action, user);
  });
  return redactEntries(deps, erasure, { kind: ErasureKind.USER }, select, signal);
}

/** Returns a selection of those entries that pass a test. */
function onlyThose(select: SelectEntries, passes: (entry: Redactable) => boolean): SelectEntries {
  return async (after, limit) => {
    for (let from = after; ; ) {
      const rows = await select(from, limit);
      const found = rows.filter(passes);
      if (found.length > 0 || rows.length < limit) return found;
      from = rows.at(-1)?.sequence ?? from;
    }
  };
}

/** What is too old. */
export interface Expiry {
  /** Entries recorded before this time, in milliseconds since 1970; `undefined`: none. */
  entriesBefore: number | undefined;
  /** Users of the ledger before this time. */
  ledgerBefore: number | undefined;
  /** Users whose entries and rows stay. */
  heldUsers: readonly string[];
}

/** Removes the texts of entries, and the users of the ledger, that are too old. */
export async function expire(
  deps: EraseDeps,
  erasure: Erasure,
  { entriesBefore, ledgerBefore, heldUsers }: Expiry,
  signal: AbortSignal,
): Promise<{ redactedCount: number; ledgerCount: number }> {
  const { db, subjects } = deps;
  const { tenant } = erasure;
  const names = await Promise.all(heldUsers.map((user) => subjects.nameOf(db, { tenant, user })));
  const held = [...heldUsers, ...names.filter((name) => name !== undefined)];
  const select = (after: number, limit: number) =>
    unredactedEntries(db, tenant)
      .where('recorded_at', '<', entriesBefore ?? 0)
      .where('entries.sequence', '>', after)
      .$if(held.length > 0, (query) => query.where('entries.user', 'not in', held))
      .limit(limit)
      .execute();
  const redactedCount =
    entriesBefore === undefined
      ? 0
      : await redactEntries(deps, erasure, { kind: ErasureKind.RETENTION }, select, signal);
  const ledgerCount = ledgerBefore === undefined ? 0 : await expireLedger(db, tenant, ledgerBefore, heldUsers);
  return { redactedCount, ledgerCount };
}

async function isKnown({ db, subjects }: EraseDeps, tenant: string, user: string): Promise<boolean> {
  if ((await subjects.nameOf(db, { tenant, user })) !== undefined) return true;
  return (await hasClearEntry(db, tenant, user)) || isInLedger(db, tenant, user);
}

async function hasClearEntry(db: Database<AuditSchema>, tenant: string, user: string): Promise<boolean> {
  const found = await unredactedEntries(db, tenant).where('entries.user', '=', user).limit(1).executeTakeFirst();
  return found !== undefined;
}

function isMadeFrom(bytes: Uint8Array, corpus: string, documentId: string): boolean {
  const { record } = fromCanonicalBytes(bytes);
  return record?.evidence.some((shown) => shown.corpus === corpus && shown.documentId === documentId) === true;
}
