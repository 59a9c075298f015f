import { create } from '@bufbuild/protobuf';
import type { Transaction } from 'kysely';
import { type ErasureKind, RecordRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { fromCanonicalBytes, toCanonicalBytes, toRecordBytes } from '../records/chain.ts';
import { keyOf } from '../records/rows.ts';
import type { AuditSchema, EntryRow } from '../records/schema.ts';
import { redactedPartOf } from '../subjects/seal-record.ts';
import { appendReceipt, nextSequence } from './append-receipt.ts';
import { type EraseDeps, type Erasure, inTransaction } from './erasure.ts';
import { createRedactedDigest } from './receipts.ts';

/** Entries that one transaction redacts: others of the tenant wait for it. */
const entriesAtOnce = 200;

/** What an entry needs to be redacted. */
export type Redactable = Pick<EntryRow, 'sequence' | 'recorded_at' | 'bytes' | 'hash' | 'user'>;

/** Returns entries after a sequence that are to be redacted, in ascending order, at most `limit`. */
export type SelectEntries = (after: number, limit: number) => Promise<Redactable[]>;

/** Why entries are redacted, for their receipts. */
export interface RedactionReason {
  kind: ErasureKind;
  documentDigest?: Uint8Array;
}

/**
 * Removes the texts of entries, some in each transaction, with a receipt that covers what is left of them. Their hashes stay, and their users become
 * subjects. Returns their number. What an interrupted call has done stays; a later one does the rest.
 */
export async function redactEntries(
  deps: EraseDeps,
  erasure: Erasure,
  reason: RedactionReason,
  select: SelectEntries,
  signal: AbortSignal,
): Promise<number> {
  const { tenant, erasureId } = erasure;
  let after = 0;
  for (let total = 0; ; ) {
    signal.throwIfAborted();
    const rows = await select(after, entriesAtOnce);
    const last = rows.at(-1);
    if (last === undefined) return total;
    after = last.sequence;
    const clear = rows.filter(({ bytes }) => fromCanonicalBytes(bytes).subject === '');
    const subjects = await deps.subjects.ensure(clear.map(({ user }) => ({ tenant, user })));
    total += await inTransaction(deps, erasure, async (receipt) => {
      const left = await unredacted(receipt.trx, tenant, rows);
      if (left.length === 0) return { result: 0 };
      const sequence = await nextSequence(receipt);
      const digest = createRedactedDigest();
      for (const row of left) {
        const subject = subjects.get(keyOf(tenant, row.user))?.subject;
        digest.add(await redactOne(receipt.trx, tenant, row, sequence, subject));
      }
      const covered = { redactedCount: BigInt(left.length), redactedDigest: digest.end() };
      const end = await appendReceipt(receipt, { erasureId, ...reason, ...covered });
      return { result: left.length, end };
    });
  }
}

/** Returns a query of the entries of a tenant that are not redacted and are no receipts, in ascending order. */
export function unredactedEntries(db: Database<AuditSchema>, tenant: string) {
  return db
    .selectFrom('entries')
    .select(['entries.sequence', 'recorded_at', 'bytes', 'hash', 'entries.user'])
    .where('entries.tenant', '=', tenant)
    .where('redacted_by', 'is', null)
    .where('answer_id', 'not like', 'erasure/%')
    .orderBy('entries.sequence');
}

// Another call may have redacted some of them since they were read.
function unredacted(trx: Transaction<AuditSchema>, tenant: string, rows: readonly Redactable[]) {
  const sequences = rows.map(({ sequence }) => sequence);
  return unredactedEntries(trx, tenant).where('entries.sequence', 'in', sequences).execute();
}

async function redactOne(
  trx: Transaction<AuditSchema>,
  tenant: string,
  { sequence, recorded_at, bytes, hash, user }: Redactable,
  receiptSequence: number,
  subject: string | undefined,
) {
  const entry = fromCanonicalBytes(bytes);
  const name = subject ?? user;
  const recordBytes = toRecordBytes(redactedPartOf(entry.record ?? create(RecordRequestSchema)));
  const left = toCanonicalBytes({ sequence, tenant, user: '', recordedAt: recorded_at, subject: name, recordBytes });
  await trx
    .updateTable('entries')
    .set({ bytes: left, user: name, redacted_by: receiptSequence })
    .where('tenant', '=', tenant)
    .where('sequence', '=', sequence)
    .execute();
  return { sequence, hash, bytes: left };
}
