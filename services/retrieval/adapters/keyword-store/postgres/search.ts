import type { QueryWord } from '#kit/text/query/query-words.ts';
import { bm25 } from '../../../stores/bm25.ts';
import { type Condition, createValues, tenantId } from '../../vendors/postgres/conditions.ts';
import { fullName } from '../../vendors/postgres/rows.ts';
import { entryCount, entryId, entryLength, keywordTable, postingTable, segmentTable } from './schema.ts';

const { k1, b } = bm25;

/** Words of a question that are searched at any cost. */
const sureWords = 3;

/** Most words that begin with a lone Han character and are searched for it. */
const maxBeginnings = 200;

/** A search. */
export interface Asked {
  tenant: string;
  corpusIds: readonly number[];
  words: readonly QueryWord[];
  limit: number;
  /** Most rows of all words together; the words with the lowest weights are left out. */
  maxPostings: number;
  /** Rows with the best scores for which the conditions are read; `undefined`: all, if the search needs them. */
  candidates: number | undefined;
}

interface Statement {
  sql: string;
  values: unknown[];
}

/**
 * Returns the search. Idf and mean length are those of the asked corpora, so no other tenant's rows are in a score. Rows are scored before
 * the conditions are read, and these are then read for the best rows only, until enough pass.
 */
export function searchStatement(asked: Asked, scope: Condition): Statement {
  const { tenant, corpusIds, words, limit, maxPostings, candidates } = asked;
  const values = createValues();
  const ofCorpora = `tenant = ${values.bind(tenantId(tenant), 'uuid')} AND corpus_id = ANY(${values.bind(corpusIds, 'integer[]')})`;
  const given = [
    values.bind(
      words.map(({ word }) => word),
      'text[]',
    ),
    values.bind(
      words.map(({ weight }) => weight),
      'float8[]',
    ),
  ];
  const [count, length] = [entryCount('entry'), entryLength('entry')].map((field) => `${field}::float8`);
  const saturated = `${count} / (${count} + least_norm + norm_of_word * ${length})`;
  const sql = `WITH total AS MATERIALIZED (
      SELECT sum(row_count)::float8 AS row_count, ${k1 * (1 - b)}::float8 AS least_norm,
        ${k1 * b}::float8 * sum(row_count)::float8 / nullif(sum(word_count), 0)::float8 AS norm_of_word
      FROM ${fullName(segmentTable)} WHERE ${ofCorpora}
    ), found AS MATERIALIZED (
      SELECT word, weight, entries, sum(posting.row_count) OVER (PARTITION BY word)::float8 AS frequency
      FROM unnest(${given}) AS asked(word, weight) JOIN ${fullName(postingTable)} AS posting USING (word) WHERE ${ofCorpora}
    ), weighed AS MATERIALIZED (
      SELECT DISTINCT word, frequency,
        weight * ${k1 + 1}::float8 * ln(1 + (greatest(0::float8, row_count - frequency) + 0.5::float8) / (frequency + 0.5::float8)) AS weight
      FROM found, total
    ), planned AS MATERIALIZED (
      SELECT word, weight FROM (
        SELECT word, weight, row_number() OVER by_weight AS rank, sum(frequency) OVER by_weight AS cost
        FROM weighed WINDOW by_weight AS (ORDER BY weight DESC, word)
      ) AS ranked WHERE rank <= ${sureWords} OR cost <= ${values.bind(maxPostings, 'float8')}
    ), scored AS MATERIALIZED (
      SELECT ${entryId('entry')} AS id, sum(planned.weight * ${saturated}) AS score
      FROM total, planned JOIN found USING (word), unnest(found.entries) AS entry GROUP BY 1
    )
    SELECT key, chunk_id AS "chunkId", document_id AS "documentId", score
    FROM (
      SELECT id, score FROM scored ORDER BY score DESC, id LIMIT ${values.bind(candidates ?? null, 'bigint')}
    ) AS best, LATERAL (
      SELECT key, chunk_id, document_id FROM ${fullName(keywordTable)} AS chunk WHERE chunk.id = best.id AND ${scope(values)} OFFSET 0
    ) AS visible ORDER BY score DESC, best.id LIMIT ${values.bind(limit, 'bigint')}`;
  return { sql, values: values.list };
}

/** Returns the query for the words of corpora that begin with a character. */
export function beginningsStatement(tenant: string, corpusIds: readonly number[], character: string): Statement {
  const next = String.fromCodePoint((character.codePointAt(0) as number) + 1);
  return {
    sql: `SELECT word, 1 AS weight FROM ${fullName(postingTable)}
      WHERE tenant = $1::uuid AND corpus_id = ANY($2::integer[]) AND word >= $3::text AND word < $4::text
      GROUP BY word ORDER BY sum(row_count) DESC, word LIMIT ${maxBeginnings}`,
    values: [tenantId(tenant), corpusIds, character, next],
  };
}
