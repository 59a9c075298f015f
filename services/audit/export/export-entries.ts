import type { ConnectError } from '@connectrpc/connect';
import {
  AuditExportFormat,
  type ExportAuditRequest,
  type ExportAuditResponse,
} from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { type ReadEntry, readEntries } from '../records/read-entry.ts';
import type { AuditSchema } from '../records/schema.ts';
import type { Subjects } from '../subjects/subjects.ts';
import { entryToJsonLine } from './json-line.ts';
import { entryToOcsf } from './ocsf.ts';

const defaultLimit = 10_000;
/** Entries read at a time; an entry can be as large as an answer. */
const pageSize = 50;

/**
 * Returns the lines of a tenant's entries after a sequence, in the order of the chain. A chain has no gaps and only grows, so its sequence is a cursor
 * that stays right forever. Throws FAILED_PRECONDITION, reason AUDIT_CHAIN_BROKEN, instead of leaving out an entry that is missing.
 */
export async function* exportEntries(
  db: Database<AuditSchema>,
  subjects: Pick<Subjects, 'find'>,
  tenant: string,
  { afterSequence, format, limit, withHashedBytes }: ExportAuditRequest,
  signal: AbortSignal,
): AsyncIterable<Pick<ExportAuditResponse, 'sequence' | 'line'>> {
  const chain = await db.selectFrom('chains').select('last_sequence').where('tenant', '=', tenant).executeTakeFirst();
  const last = chain?.last_sequence ?? 0;
  let sequence = Number(afterSequence);
  if (sequence > last) throw missingEntry(last + 1);
  const end = Math.min(last, sequence + (limit || defaultLimit));
  const toLine = (found: ReadEntry) =>
    format === AuditExportFormat.OCSF
      ? JSON.stringify(entryToOcsf(found.entry))
      : entryToJsonLine(found, withHashedBytes);
  while (sequence < end) {
    signal.throwIfAborted();
    const rows = await db
      .selectFrom('entries')
      .select(['sequence', 'bytes', 'previous_hash', 'hash', 'redacted_by'])
      .where('tenant', '=', tenant)
      .where('sequence', '>', sequence)
      .where('sequence', '<=', Math.min(end, sequence + pageSize))
      .orderBy('sequence')
      .execute();
    if (rows.length === 0) throw missingEntry(sequence + 1);
    const entries = await readEntries(subjects, tenant, rows);
    for (const [index, found] of entries.entries()) {
      if (rows[index]?.sequence !== sequence + 1) throw missingEntry(sequence + 1);
      sequence += 1;
      yield { sequence: BigInt(sequence), line: toLine(found) };
    }
  }
}

function missingEntry(sequence: number): ConnectError {
  const message = `entry ${sequence} is missing in the audit of this tenant: see VerifyChain, and restore the audit database from a backup`;
  return failedPrecondition(ErrorReason.AUDIT_CHAIN_BROKEN, message, { metadata: { sequence: String(sequence) } });
}
