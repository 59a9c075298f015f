import { lockKey } from '#kit/storage/postgres/database.ts';
import type { PostgresConnection } from '#kit/storage/postgres/pool.ts';
import { tenantId } from '../../vendors/postgres/conditions.ts';
import type { StoreConnection } from '../../vendors/postgres/connection.ts';
import { fullName } from '../../vendors/postgres/rows.ts';
import { entryId, keywordTable, postingTable, segmentTable } from './schema.ts';

// Segments are merged after a publish: a word then has few parts, and the entries of deleted rows are gone. One transaction does it, so a
// search sees the segments before or the merged one, and a crash leaves those before.

/** Rows of a segment. */
export interface SegmentSize {
  id: number;
  rowCount: number;
}

interface RowSum {
  rowCount: number;
  wordCount: number;
}

/** All segments of a corpus are merged if more than this share of their rows is deleted. */
const maxDeletedShare = 0.25;

/** A segment is merged with the smaller ones if it has at most so many times their rows: a row is written again a few times in its life. */
const maxRatio = 2;

/** Longest time of a statement of a merge, in milliseconds. */
const longestMergeMs = 3_600_000;

/** Merges segments of a corpus if that pays. Another replica that merges the same corpus does the work alone. */
export async function mergeSegments({ write }: StoreConnection, tenant: string, corpusId: number): Promise<void> {
  await write(async (connection) => {
    const lock = lockOf(tenant, corpusId);
    const [locked] = await connection.query<{ held: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS held', [lock]);
    if (locked?.held !== true) return;
    await mergeChosen(connection, tenant, corpusId, segmentsToMerge);
  }, longestMergeMs);
}

/** Merges all segments of each corpus of a tenant: what is left has no word of a deleted row. */
export async function mergeAllSegments({ write }: StoreConnection, tenant: string): Promise<void> {
  const corpora = await write((connection) =>
    connection.query<{ corpusId: number }>(
      `SELECT DISTINCT corpus_id AS "corpusId" FROM ${fullName(segmentTable)} WHERE tenant = $1::uuid`,
      [tenantId(tenant)],
    ),
  );
  for (const { corpusId } of corpora) {
    await write(async (connection) => {
      await connection.query('SELECT pg_advisory_xact_lock($1)', [lockOf(tenant, corpusId)]);
      await mergeChosen(connection, tenant, corpusId, (segments) => segments.map(({ id }) => id));
    }, longestMergeMs);
  }
}

const lockOf = (tenant: string, corpusId: number) => lockKey('merge', JSON.stringify([tenant, corpusId]));

async function mergeChosen(
  connection: PostgresConnection,
  tenant: string,
  corpusId: number,
  choose: (segments: readonly SegmentSize[], liveRowCount: number) => number[],
): Promise<void> {
  const corpus = [tenantId(tenant), corpusId];
  const ofCorpus = 'tenant = $1::uuid AND corpus_id = $2::integer';
  const segments = await connection.query<SegmentSize>(
    `SELECT id, row_count AS "rowCount" FROM ${fullName(segmentTable)} WHERE ${ofCorpus}`,
    corpus,
  );
  const [live] = await connection.query<RowSum>(
    `SELECT count(*) AS "rowCount", coalesce(sum(word_count), 0) AS "wordCount" FROM ${fullName(keywordTable)} WHERE ${ofCorpus}`,
    corpus,
  );
  const chosen = choose(segments, live?.rowCount ?? 0);
  if (chosen.length === 0) return;
  // Deleted rows are counted until all segments are merged.
  const rows = chosen.length === segments.length ? live : undefined;
  await merge(connection, tenant, corpusId, chosen, rows);
}

/** Returns the ids of the segments to merge into one; none if that does not pay yet. */
export function segmentsToMerge(segments: readonly SegmentSize[], liveRowCount: number): number[] {
  const ids = segments.map(({ id }) => id);
  const total = segments.reduce((sum, { rowCount }) => sum + rowCount, 0);
  if (total > 0 && total - liveRowCount > total * maxDeletedShare) return ids;
  const ascending = segments.toSorted((a, z) => a.rowCount - z.rowCount);
  let [smaller, count] = [0, 0];
  for (const [index, { rowCount }] of ascending.entries()) {
    if (index > 0 && rowCount <= smaller * maxRatio) count = index + 1;
    smaller += rowCount;
  }
  return ascending.slice(0, count).map(({ id }) => id);
}

/** Merges segments. `rows`: what they have, if that is known; otherwise the sum of what they had. */
async function merge(
  connection: PostgresConnection,
  tenant: string,
  corpusId: number,
  chosen: readonly number[],
  rows: RowSum | undefined,
): Promise<void> {
  const corpus = [tenantId(tenant), corpusId];
  await connection.query(`SET LOCAL work_mem = '64MB'`);
  const [merged] = await connection.query<{ id: number }>(
    `INSERT INTO ${fullName(segmentTable)} (tenant, corpus_id, row_count, word_count)
      SELECT $1::uuid, $2::integer, coalesce($4::bigint, sum(row_count)), coalesce($5::bigint, sum(word_count))
      FROM ${fullName(segmentTable)} WHERE id = ANY($3::bigint[]) RETURNING id`,
    [...corpus, chosen, rows?.rowCount, rows?.wordCount],
  );
  await connection.query(
    `INSERT INTO ${fullName(postingTable)} (tenant, segment_id, corpus_id, row_count, word, entries)
      SELECT $1::uuid, $4::bigint, $2::integer, count(*), word, array_agg(entry)
      FROM ${fullName(postingTable)}, unnest(entries) AS entry
      WHERE segment_id = ANY($3::bigint[]) AND ${entryId('entry')} IN (
        SELECT id FROM ${fullName(keywordTable)} WHERE tenant = $1::uuid AND corpus_id = $2::integer
      ) GROUP BY word`,
    [...corpus, chosen, merged?.id],
  );
  await connection.query(`DELETE FROM ${fullName(postingTable)} WHERE segment_id = ANY($1::bigint[])`, [chosen]);
  await connection.query(`DELETE FROM ${fullName(segmentTable)} WHERE id = ANY($1::bigint[])`, [chosen]);
}
