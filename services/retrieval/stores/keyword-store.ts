import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { Change, Hit, IndexRow, Scope } from './index-row.ts';

/** A chunk with its words. */
export interface KeywordRow extends IndexRow {
  /** Title of the document and headings above the chunk. */
  title: string;
  text: string;
}

/** A search by words. */
export interface KeywordQuery {
  /** What the caller wrote, and other words for it: any text, never a query language. */
  text: string;
  /** The words of `text` with their weights, for stores that can weigh words. @default those of `weighWords(text)` */
  words?: readonly QueryWord[];
  scope: Scope;
  limit: number;
}

/** Where words are kept and searched. The tenants' rows are apart in such a way that no call can reach across. */
export interface KeywordStore {
  /** Changes a corpus, durably: when this resolves, searches see it. */
  apply(tenant: string, corpusId: number, change: Change<KeywordRow>): Promise<void>;
  /** The rows of the scope that say most of the words, best first, with their BM25 score (0 and up). */
  search(tenant: string, query: KeywordQuery, signal: AbortSignal): Promise<Hit[]>;
  /** Rows of a version. */
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  /** Keys of all rows of a corpus above `after`, ascending, at most `limit`. */
  listKeys(tenant: string, corpusId: number, after: number, limit: number, signal: AbortSignal): Promise<number[]>;
  /** Called after a version was published: time to tidy up, until `signal` aborts. Never needed for a right answer. */
  settle(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Frees everything. */
  close(): Promise<void>;
}
