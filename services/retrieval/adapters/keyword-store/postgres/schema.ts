import { rowTableSql } from '../../vendors/postgres/rows.ts';

/** The table of the rows. */
export const keywordTable = 'keyword_row';
/** The table of the words: for each word the rows that have it, in parts, one for each segment. */
export const postingTable = 'keyword_posting';
/** The table of the segments: a segment has the words of rows that were written or merged together. */
export const segmentTable = 'keyword_segment';

export const keywordMigrations: readonly string[] = [
  `${rowTableSql(keywordTable, 'id bigint GENERATED ALWAYS AS IDENTITY, word_count integer NOT NULL')}
CREATE UNIQUE INDEX ${keywordTable}_id ON ${keywordTable} (id);
CREATE TABLE ${segmentTable} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant uuid NOT NULL,
  corpus_id integer NOT NULL,
  row_count bigint NOT NULL,
  word_count bigint NOT NULL
);
CREATE INDEX ${segmentTable}_corpus ON ${segmentTable} (tenant, corpus_id);
CREATE TABLE ${postingTable} (
  tenant uuid NOT NULL,
  segment_id bigint NOT NULL,
  corpus_id integer NOT NULL,
  row_count integer NOT NULL,
  word text COLLATE "C" NOT NULL,
  entries bigint[] NOT NULL,
  PRIMARY KEY (tenant, word, corpus_id, segment_id)
);
CREATE INDEX ${postingTable}_segment ON ${postingTable} (segment_id);
`,
];

// An entry is 64 bits: the id of the row (39), how often it has the word (8), its length in words (16). The id is given once and never
// again, so an entry of a deleted row finds nothing, and the words of a row are written once and never changed.

/** Places of the fields of an entry, in SQL. */
export const entryId = (entry: string) => `(${entry} >> 24)`;
export const entryCount = (entry: string) => `((${entry} >> 16) & 255)`;
export const entryLength = (entry: string) => `(${entry} & 65535)`;

/** Returns the part of an entry beside the row's id. */
export function entryRest(count: number, wordCount: number): number {
  return Math.min(count, 255) * 65_536 + Math.min(wordCount, 65_535);
}

/** Returns an entry as PostgreSQL reads a bigint. */
export function toEntry(id: number, rest: number): string {
  return ((BigInt(id) << 24n) + BigInt(rest)).toString();
}
