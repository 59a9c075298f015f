import { plain } from './engines/sql.ts';
import type { CatalogRow } from './engines/tables.ts';

/** A chunk without its vector. */
export interface ChunkRecord {
  key: number;
  chunkId: string;
  ordinal: number;
  /** A Language of the contract. */
  language: number;
  startOffset: number;
  endOffset: number;
  headingPath: readonly string[];
  /** Places on the pages of its document, in the order of the text; absent if the document has no pages. */
  regions?: readonly PageRegionRecord[];
  /** How far a person has raised it, -1 to 1; absent if no one has. */
  boost?: number;
  /** What a model has written about it, which is searched; only for writes. */
  context?: string;
  text: string;
}

/** A rectangle on a page, in points: see `PageRegion` of the contract. */
export type PageRegionRecord = readonly [page: number, left: number, top: number, right: number, bottom: number];

/** A passage as the catalog returns it: a chunk with its document's id, title, URL and date. */
export interface PassageRecord extends ChunkRecord {
  documentId: string;
  title: string;
  url: string;
  /** When the document was last updated, as it says itself, in milliseconds since 1970. */
  updatedMs?: number | undefined;
  /** Time in which the document may be found: from the first, before the second; absent without a bound. */
  validFromMs?: number;
  validUntilMs?: number;
  corpusId: number;
}

/** The columns that {@link toPassage} reads. */
export const passageColumns =
  plain(`chunk.id, chunk.chunk_id, chunk.ordinal, chunk.language, chunk.start_offset, chunk.end_offset,
  chunk.heading_path, chunk.regions, chunk.boost, chunk.text, document.document_id, document.title, document.url, document.updated_ms,
  document.valid_from_ms, document.valid_until_ms, document.corpus_id`);

/** Returns the passage in a row with {@link passageColumns}. */
export function toPassage(row: CatalogRow): PassageRecord {
  return {
    key: row.id as number,
    chunkId: row.chunk_id as string,
    ordinal: row.ordinal as number,
    language: row.language as number,
    startOffset: row.start_offset as number,
    endOffset: row.end_offset as number,
    headingPath: JSON.parse(row.heading_path as string) as string[],
    ...(typeof row.regions === 'string' && { regions: JSON.parse(row.regions) as PageRegionRecord[] }),
    ...(typeof row.boost === 'number' && { boost: row.boost }),
    text: row.text as string,
    documentId: row.document_id as string,
    title: row.title as string,
    url: row.url as string,
    updatedMs: (row.updated_ms as number | null) ?? undefined,
    ...(typeof row.valid_from_ms === 'number' && { validFromMs: row.valid_from_ms }),
    ...(typeof row.valid_until_ms === 'number' && { validUntilMs: row.valid_until_ms }),
    corpusId: row.corpus_id as number,
  };
}
