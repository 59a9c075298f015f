import type { QueryWord } from '#kit/text/query/query-words.ts';
import type { Change, Hit, IndexRow, SearchScope } from './index-row.ts';

/** A chunk with its words. */
export interface KeywordRow extends IndexRow {
  /** Title of the document and headings above the chunk. */
  title: string;
  text: string;
}

/** A search by words. */
export interface KeywordQuery {
  /** The caller's text with its added terms. It is plain text, never a query language. */
  text: string;
  /** The words of `text` with their weights, for stores that can weigh words. @default those of `weighWords(text)` */
  words?: readonly QueryWord[];
  scope: SearchScope;
  limit: number;
}

/** A store of words. The rows of tenants are separate: no call can reach the rows of another tenant. */
export interface KeywordStore {
  /** Changes a corpus. When this resolves, the change is durable and searches see it. */
  apply(tenant: string, corpusId: number, change: Change<KeywordRow>): Promise<void>;
  /** Returns the rows of the scope with the highest BM25 scores (0 and up), best first. */
  search(tenant: string, query: KeywordQuery, signal: AbortSignal): Promise<Hit[]>;
  /** Returns the number of rows of a version. */
  count(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<number>;
  /** Returns the keys above `after` of a corpus's rows in all versions, ascending, at most `limit`. */
  listKeys(tenant: string, corpusId: number, after: number, limit: number, signal: AbortSignal): Promise<number[]>;
  /** Compacts the corpus's rows after a publish, until `signal` aborts. Answers are correct without it. */
  maintain(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Removes what deleted rows of a tenant have left in files of this process. @default a server does it by itself */
  scrub?(tenant: string): Promise<void>;
  /**
   * Brings into memory what searches of the corpus need, before a version of it becomes live; for stores that search in memory. Answers are
   * correct without it.
   */
  prepare?(tenant: string, corpusId: number, signal: AbortSignal): Promise<void>;
  /** Releases all resources. */
  close(): Promise<void>;
}
