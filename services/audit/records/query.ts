import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { ExpressionBuilder } from 'kysely';
import type { QueryAuditRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Subjects } from '../subjects/subjects.ts';
import { type ReadEntry, readEntries } from './read-entry.ts';
import type { AuditSchema } from './schema.ts';

const defaultLimit = 100;

/** Selects entries of changes by administrators: their ids begin with "change/". */
export function ofChanges(eb: ExpressionBuilder<AuditSchema, 'entries'>) {
  // "0" follows "/".
  return eb.and([eb('entries.answer_id', '>=', 'change/'), eb('entries.answer_id', '<', 'change0')]);
}
/** Entries read at a time; an entry can be as large as an answer. */
const pageSize = 50;

/** Returns the entries of a tenant that match a request, the latest first. */
export async function* queryEntries(
  db: Database<AuditSchema>,
  subjects: Subjects,
  tenant: string,
  request: QueryAuditRequest,
  signal: AbortSignal,
): AsyncIterable<ReadEntry> {
  const { user } = request;
  // Sealed entries name their user by the subject.
  const subject = user === '' ? undefined : await subjects.nameOf(db, { tenant, user });
  const users = user === '' ? [] : [user, ...(subject === undefined ? [] : [subject])];
  const sequences = await findSequences(db, tenant, request, users);
  for (let start = 0; start < sequences.length; start += pageSize) {
    signal.throwIfAborted();
    const rows = await db
      .selectFrom('entries')
      .select(['bytes', 'previous_hash', 'hash', 'redacted_by'])
      .where('tenant', '=', tenant)
      .where('sequence', 'in', sequences.slice(start, start + pageSize))
      .orderBy('sequence', 'desc')
      .execute();
    yield* await readEntries(subjects, tenant, rows);
  }
}

async function findSequences(
  db: Database<AuditSchema>,
  tenant: string,
  request: QueryAuditRequest,
  users: readonly string[],
): Promise<number[]> {
  const limit = request.limit || defaultLimit;
  if (request.documentId !== '') return findShown(db, tenant, request, users, limit);
  const rows = await matching(db, tenant, request, users).orderBy('sequence', 'desc').limit(limit).execute();
  return rows.map(({ sequence }) => sequence);
}

/** Entries that the first look covers; each further one covers twice as many. */
const firstLookCount = 1_000;

/**
 * Returns the sequences of the latest entries with a document. The documents of an entry are its own rows or those of another entry, so
 * no index has all entries of a document in order. Looks from the end on, at more entries each time, so that a document that is in nearly
 * every entry costs as little as one that is in few.
 */
async function findShown(
  db: Database<AuditSchema>,
  tenant: string,
  request: QueryAuditRequest,
  users: readonly string[],
  limit: number,
): Promise<number[]> {
  const chain = await db.selectFrom('chains').select('last_sequence').where('tenant', '=', tenant).executeTakeFirst();
  const found: number[] = [];
  const end = chain?.last_sequence ?? 0;
  let through = request.beforeSequence > 0n ? Math.min(end, Number(request.beforeSequence) - 1) : end;
  for (let count = firstLookCount; through >= 1 && found.length < limit; count *= 2) {
    const candidates = matching(db, tenant, request, users)
      .where('entries.sequence', '>', through - count)
      .where('entries.sequence', '<=', through);
    const by = (own: 'entries.sequence' | 'entries.documents_of') =>
      candidates
        .innerJoin('entry_documents as shown', (join) =>
          join.onRef('shown.tenant', '=', 'entries.tenant').onRef('shown.sequence', '=', own),
        )
        .where('shown.document_id', '=', request.documentId);
    const rows = await by('entries.sequence')
      .where('entries.documents_of', 'is', null)
      .unionAll(by('entries.documents_of'))
      .orderBy('sequence', 'desc')
      .limit(limit - found.length)
      .execute();
    found.push(...rows.map(({ sequence }) => sequence));
    through -= count;
  }
  return found;
}

// The sequences of the entries that match everything but the document.
function matching(db: Database<AuditSchema>, tenant: string, request: QueryAuditRequest, users: readonly string[]) {
  const { from, before, answerId, beforeSequence, onlyChanges } = request;
  let query = db.selectFrom('entries').select('entries.sequence as sequence').where('entries.tenant', '=', tenant);
  if (from !== undefined) query = query.where('entries.recorded_at', '>=', timestampMs(from));
  if (before !== undefined) query = query.where('entries.recorded_at', '<', timestampMs(before));
  if (users.length > 0) query = query.where('entries.user', 'in', users);
  if (answerId !== '') query = query.where('entries.answer_id', '=', answerId);
  if (onlyChanges) query = query.where(ofChanges);
  if (beforeSequence > 0n) query = query.where('entries.sequence', '<', Number(beforeSequence));
  return query;
}
