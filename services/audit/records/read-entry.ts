import { type AuditEntry, EntryContent } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { openRecord } from '../subjects/seal-record.ts';
import type { Subject, Subjects } from '../subjects/subjects.ts';
import { fromCanonicalBytes } from './chain.ts';
import type { EntryRow } from './schema.ts';

/** An entry as a query returns it, and the bytes that its hash covers. */
export interface ReadEntry {
  entry: AuditEntry;
  hashedBytes: Uint8Array;
}

/** Opens stored entries of a tenant as far as the keys of their users exist. */
export async function readEntries(
  subjects: Pick<Subjects, 'find'>,
  tenant: string,
  rows: readonly Pick<EntryRow, 'bytes' | 'hash' | 'previous_hash' | 'redacted_by'>[],
): Promise<ReadEntry[]> {
  const entries = rows.map((row) => ({ row, entry: fromCanonicalBytes(row.bytes) }));
  const names = entries.map(({ entry }) => entry.subject).filter((subject) => subject !== '');
  const found = await subjects.find(tenant, names);
  return entries.map(({ row, entry }) => {
    const opened = open(entry, found.get(entry.subject), row.redacted_by !== null);
    const hashes = { previousHash: row.previous_hash, hash: row.hash, redactedBy: BigInt(row.redacted_by ?? 0) };
    return {
      entry: { ...opened, ...hashes, sealed: new Uint8Array() },
      hashedBytes: row.redacted_by === null ? row.bytes : new Uint8Array(),
    };
  });
}

function open(entry: AuditEntry, subject: Subject | undefined, isRedacted: boolean): AuditEntry {
  const user = entry.user === '' ? (subject?.user ?? '') : entry.user;
  if (isRedacted) return { ...entry, user, content: EntryContent.REDACTED };
  if (entry.sealed.length === 0 || entry.record === undefined) return { ...entry, user, content: EntryContent.WHOLE };
  if (subject === undefined) return { ...entry, content: EntryContent.ERASED };
  const opened = openRecord(subject, entry.record, entry.sealed);
  // The key that wraps the user's key is not configured, or another one is.
  if (opened === undefined) return { ...entry, user, content: EntryContent.KEY_MISSING };
  return { ...entry, ...opened, content: EntryContent.WHOLE };
}
