import type { PostgresConnection } from '#kit/storage/postgres/pool.ts';
import type { KeywordRow } from '../../../stores/keyword-store.ts';
import { tenantId } from '../../vendors/postgres/conditions.ts';
import { fullName, type RowBatch, type RowTable } from '../../vendors/postgres/rows.ts';
import { entryRest, keywordTable, postingTable, segmentTable, toEntry } from './schema.ts';

/** A row with its words joined by spaces. */
export interface TokenRow extends KeywordRow {
  tokens: string;
}

/** The rows, with their words as a segment of their own. */
export const tokenTable: RowTable<TokenRow> = {
  name: keywordTable,
  // Most of a row's size is in its words, each of which becomes a row.
  sizeOf: ({ tokens }) => 500 + tokens.length * 8,
  insert: insertRows,
};

async function insertRows(connection: PostgresConnection, batch: RowBatch<TokenRow>): Promise<void> {
  const words = new Map(batch.rows.map(({ key, tokens }) => [key, tokens === '' ? [] : tokens.split(' ')]));
  const wordCounts = batch.rows.map(({ key }) => words.get(key)?.length ?? 0);
  const { sql, values } = batch.insertSql([{ name: 'word_count', type: 'integer', list: wordCounts }]);
  const inserted = await connection.query<{ id: number; key: number }>(`${sql} RETURNING id, key`, values);
  if (inserted.length === 0) return;
  const tenant = tenantId(batch.tenant);
  const wordCount = inserted.reduce((sum, { key }) => sum + (words.get(key)?.length ?? 0), 0);
  const [segment] = await connection.query<{ id: number }>(
    `INSERT INTO ${fullName(segmentTable)} (tenant, corpus_id, row_count, word_count) VALUES ($1, $2, $3, $4) RETURNING id`,
    [tenant, batch.corpusId, inserted.length, wordCount],
  );
  const entries = new Map<string, string[]>();
  for (const { id, key } of inserted) collectEntries(id, words.get(key) ?? [], entries);
  await connection.query(
    `INSERT INTO ${fullName(postingTable)} (tenant, segment_id, corpus_id, row_count, word, entries)
      SELECT $1, $2, $3, cardinality(entries), word, entries
      FROM (SELECT word, list::bigint[] AS entries FROM unnest($4::text[], $5::text[]) AS given(word, list)) AS posting`,
    [tenant, segment?.id, batch.corpusId, [...entries.keys()], [...entries.values()].map((list) => `{${list}}`)],
  );
}

function collectEntries(id: number, tokens: readonly string[], entries: Map<string, string[]>): void {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const [word, count] of counts) {
    const entry = toEntry(id, entryRest(count, tokens.length));
    const list = entries.get(word);
    if (list === undefined) entries.set(word, [entry]);
    else list.push(entry);
  }
}
