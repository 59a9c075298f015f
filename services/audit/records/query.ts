import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { AuditEntry, QueryAuditRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { fromCanonicalBytes } from './chain.ts';
import type { AuditSchema } from './schema.ts';

const defaultLimit = 100;
/** Entries read at a time; an entry can be as large as an answer. */
const pageSize = 50;

/** Returns the entries of a tenant that match a request, the latest first. */
export async function* queryEntries(
  db: Database<AuditSchema>,
  tenant: string,
  request: QueryAuditRequest,
  signal: AbortSignal,
): AsyncIterable<AuditEntry> {
  const sequences = await findSequences(db, tenant, request);
  for (let start = 0; start < sequences.length; start += pageSize) {
    signal.throwIfAborted();
    const rows = await db
      .selectFrom('entries')
      .select(['bytes', 'previous_hash', 'hash'])
      .where('tenant', '=', tenant)
      .where('sequence', 'in', sequences.slice(start, start + pageSize))
      .orderBy('sequence', 'desc')
      .execute();
    for (const { bytes, previous_hash: previousHash, hash } of rows) {
      yield { ...fromCanonicalBytes(bytes), previousHash, hash };
    }
  }
}

async function findSequences(db: Database<AuditSchema>, tenant: string, request: QueryAuditRequest): Promise<number[]> {
  const { from, before, user, documentId, answerId, limit, beforeSequence } = request;
  let query = db.selectFrom('entries').select('entries.sequence').where('entries.tenant', '=', tenant);
  if (from !== undefined) query = query.where('entries.recorded_at', '>=', timestampMs(from));
  if (before !== undefined) query = query.where('entries.recorded_at', '<', timestampMs(before));
  if (user !== '') query = query.where('entries.user', '=', user);
  if (answerId !== '') query = query.where('entries.answer_id', '=', answerId);
  if (beforeSequence > 0n) query = query.where('entries.sequence', '<', Number(beforeSequence));
  if (documentId !== '') {
    query = query
      .innerJoin('entry_documents as shown', (join) =>
        join.onRef('shown.tenant', '=', 'entries.tenant').onRef('shown.sequence', '=', 'entries.sequence'),
      )
      .where('shown.document_id', '=', documentId);
  }
  const rows = await query
    .orderBy('entries.sequence', 'desc')
    .limit(limit || defaultLimit)
    .execute();
  return rows.map(({ sequence }) => sequence);
}
