// The types that both store ports share: rows, changes of an index, and scopes of a search.

/** `removedIn` of a row that no version has removed. */
export const forever = Number.MAX_SAFE_INTEGER;

/**
 * A chunk as a store holds it. Versions are intervals: a row belongs to version v if `addedIn <= v < removedIn`. So a new version
 * costs only what changed, and the live version never changes while it is read.
 */
export interface IndexRow {
  /** The key of the chunk, unique in the tenant; the catalog assigns it. */
  key: number;
  chunkId: string;
  documentId: string;
  /** The number of the document's access list; the catalog assigns it. */
  aclId: number;
  /** A Language of the contract. */
  language: number;
  /** When the document was changed at its source, in milliseconds since 1970. */
  updatedMs: number | undefined;
  attributes: Readonly<Record<string, string>>;
}

/** A change of a corpus in a store. Each kind is atomic and idempotent. */
export type Change<R extends IndexRow> =
  | {
      /** Replaces the documents in `version` by `rows`, or removes them if there are no rows. Older versions keep theirs. */
      kind: 'replace';
      version: number;
      documentIds: readonly string[];
      rows: readonly R[];
    }
  | {
      /** Keeps only the versions `oldest` to `newest`: deletes rows of none of them, and restores rows that later ones removed. */
      kind: 'retain';
      oldest: number;
      newest: number;
    }
  | {
      /** Deletes the documents from every version. */
      kind: 'purge';
      documentIds: readonly string[];
    }
  | {
      /**
       * Sets the access list of the documents in every version up to `version`, so that a version that becomes live again has the
       * newest list. Rows of later versions keep theirs.
       */
      kind: 'access';
      version: number;
      documentIds: readonly string[];
      aclId: number;
    }
  | {
      /** Deletes these rows from every version. */
      kind: 'forget';
      keys: readonly number[];
    };

/**
 * The rows that a principal may read: corpora at their versions, and access lists. `access/visibility.ts` makes it. Every store applies
 * it inside the search, before the best rows are chosen.
 */
export interface AccessScope {
  /** Corpora, each at one version. */
  corpora: readonly { corpusId: number; version: number }[];
  /** Access lists that include the principal; a row with another list is never found. */
  aclIds: readonly number[];
}

/** The rows that a search may find. */
export interface SearchScope extends AccessScope {
  /** The caller's own conditions; `undefined`: none. */
  filter: RowFilter | undefined;
}

/** Conditions of a caller. All must hold; an empty list is no condition. */
export interface RowFilter {
  documentIds: readonly string[];
  languages: readonly number[];
  attributes: readonly { name: string; values: readonly string[] }[];
  /** Changed at or after this time; a document without a time fails. */
  updatedFromMs: number | undefined;
  /** Changed before this time; a document without a time fails. */
  updatedBeforeMs: number | undefined;
}

/** A row that a search found. */
export interface Hit {
  key: number;
  chunkId: string;
  documentId: string;
  /** The store's own score; more is better. */
  score: number;
}

/** Returns the best `limit` hits of several searches, best first; of equal scores the lower key first. */
export function mergeHits(lists: readonly (readonly Hit[])[], limit: number): Hit[] {
  const merged = lists.length === 1 ? [...(lists[0] as readonly Hit[])] : lists.flat();
  return merged.sort((a, b) => b.score - a.score || a.key - b.key).slice(0, limit);
}
