import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { AuditEntry, ErasureReceipt } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { createReceiptCheck, idOf } from '../erasure/receipts.ts';
import { documentsOf } from './append.ts';
import { chainHash, fromCanonicalBytes, genesisHash } from './chain.ts';
import type { ChainHead } from './heads-file.ts';
import { findLost } from './lost-entries.ts';
import type { AuditSchema, EntryRow } from './schema.ts';

/** Entries checked at a time; between pages, other calls run. */
const pageSize = 200;

/** The result of a check. */
export interface ChainCheck {
  /** Entries that are correct. */
  entryCount: number;
  /** The first entry that is changed, missing or out of place; undefined if there is none. */
  firstBad: number | undefined;
  /** Entries whose key was destroyed, as a receipt says. */
  erasedCount: number;
  /** Entries whose texts were removed, as a receipt says. */
  redactedCount: number;
  /** Entries whose key is missing, and no receipt says why. */
  keyMissingCount: number;
  /** The receipts, the latest first. */
  erasures: readonly ErasureReceipt[];
}

/**
 * Recomputes a tenant's chain from its first entry, up to the end that it had when the check began. Finds any change, removal,
 * insertion or reordering of entries, of the columns and document rows that queries use, and of the end itself; and, by the end that is kept
 * outside of the database, that entries were lost or replaced by another whole chain. An entry whose texts were removed is right if a receipt
 * in the chain covers what is left of it.
 */
export async function verifyChain(
  db: Database<AuditSchema>,
  tenant: string,
  outside: ChainHead | undefined,
  signal: AbortSignal,
): Promise<ChainCheck> {
  const check = await verifyStored(db, tenant, signal);
  if (check.firstBad !== undefined || outside === undefined || (await findLost(db, [outside])).length === 0)
    return check;
  // Every stored entry is right, but there were more of them, or others.
  return { ...check, firstBad: Math.min(check.entryCount + 1, outside.sequence) };
}

async function verifyStored(db: Database<AuditSchema>, tenant: string, signal: AbortSignal): Promise<ChainCheck> {
  const head = await db.selectFrom('chains').selectAll().where('tenant', '=', tenant).executeTakeFirst();
  const last = head?.last_sequence ?? 0;
  let previousHash = genesisHash;
  let checked = 0;
  const receipts = createReceiptCheck();
  const resultOf = (firstBad: number | undefined): ChainCheck => ({ entryCount: checked, ...receipts.end(), firstBad });
  while (checked < last) {
    signal.throwIfAborted();
    const through = Math.min(checked + pageSize, last);
    const rows = await db
      .selectFrom('entries')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('sequence', '>', checked)
      .where('sequence', '<=', through)
      .orderBy('sequence')
      .execute();
    const documents = await documentsOfEntries(db, rows);
    const subjects = await existing(db, rows);
    for (const row of rows) {
      const entry = entryOf(row, checked + 1, previousHash);
      if (entry === undefined || !isAsQueried(row, entry, documents)) break;
      if (!receipts.add(row, entry, (subject) => subjects.has(subject))) break;
      previousHash = row.hash;
      checked += 1;
    }
    if (checked < through) return resultOf(checked + 1);
  }
  if (head !== undefined && !isEqual(previousHash, head.last_hash)) return resultOf(last);
  return resultOf((await beyondTheEnd(db, tenant)) ?? receipts.firstUncovered());
}

/** Returns the subjects of these entries that exist. */
async function existing(db: Database<AuditSchema>, rows: readonly EntryRow[]): Promise<ReadonlySet<string>> {
  const names = [...new Set(rows.map(({ user }) => user))];
  if (names.length === 0) return new Set();
  const found = await db.selectFrom('subjects').select('subject').where('subject', 'in', names).execute();
  return new Set(found.map(({ subject }) => subject));
}

/** The document rows of entries. */
type Documents = ReadonlyMap<number, ReadonlySet<string>>;
const none: ReadonlySet<string> = new Set();

/** Returns an entry that is in its place in the chain. The hash of a redacted one is that of bytes that are gone; its receipt is checked later. */
function entryOf(row: EntryRow, sequence: number, previousHash: Uint8Array): AuditEntry | undefined {
  if (row.sequence !== sequence || !isEqual(row.previous_hash, previousHash)) return undefined;
  if (row.redacted_by === null && !isEqual(row.hash, chainHash(previousHash, row.bytes))) return undefined;
  try {
    return fromCanonicalBytes(row.bytes);
  } catch {
    return undefined;
  }
}

/** Returns whether columns and document rows, by which queries find an entry, say what its bytes say. */
function isAsQueried(row: EntryRow, entry: AuditEntry, documents: Documents): boolean {
  const { sequence, documents_of: other } = row;
  const shown = entry.record === undefined ? [] : documentsOf(entry.record);
  // An entry that refers to another one has no rows of its own, which a query would find as well.
  if (other !== null && (other >= sequence || documents.has(sequence))) return false;
  const found = documents.get(other ?? sequence) ?? none;
  return (
    entry.sequence === BigInt(row.sequence) &&
    entry.tenant === row.tenant &&
    (entry.subject === '' ? entry.user : entry.subject) === row.user &&
    idOf(entry) === row.answer_id &&
    entry.recordedAt !== undefined &&
    timestampMs(entry.recordedAt) === row.recorded_at &&
    shown.length === found.size &&
    shown.every((documentId) => found.has(documentId))
  );
}

// The rows of these entries, and of those that they refer to.
async function documentsOfEntries(db: Database<AuditSchema>, entries: readonly EntryRow[]): Promise<Documents> {
  const [first] = entries;
  if (first === undefined) return new Map();
  const sequences = new Set(entries.flatMap(({ sequence, documents_of: other }) => [sequence, other ?? sequence]));
  const rows = await db
    .selectFrom('entry_documents')
    .select(['sequence', 'document_id'])
    .where('tenant', '=', first.tenant)
    .where('sequence', 'in', [...sequences])
    .execute();
  const documents = new Map<number, Set<string>>();
  for (const { sequence, document_id } of rows) {
    const shown = documents.get(sequence) ?? new Set();
    documents.set(sequence, shown.add(document_id));
  }
  return documents;
}

/** Returns the first entry after the end of the chain; undefined if there is none. One statement, so that no append is between. */
async function beyondTheEnd(db: Database<AuditSchema>, tenant: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('entries')
    .leftJoin('chains', 'chains.tenant', 'entries.tenant')
    .select((eb) => eb.fn.min('entries.sequence').as('first'))
    .where('entries.tenant', '=', tenant)
    .where((eb) =>
      eb.or([
        eb('chains.last_sequence', 'is', null),
        eb('entries.sequence', '>', eb.ref('chains.last_sequence')),
        eb('entries.sequence', '<', 1),
      ]),
    )
    .executeTakeFirst();
  return row?.first ?? undefined;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
