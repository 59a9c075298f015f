// The words that both store ports share: rows, the change of an index, and what a query may see.

/** `removedIn` of a row that no version has removed. */
export const forever = Number.MAX_SAFE_INTEGER;

/**
 * A chunk as a store holds it, for search and for conditions. Versions are intervals: a row belongs to version v where
 * `addedIn <= v < removedIn`. So a new version costs only what changed, and the live one never moves under its readers.
 */
export interface IndexRow {
  /** Number of the row, unique in the tenant; given by the catalog. */
  key: number;
  chunkId: string;
  documentId: string;
  /** Number of the document's access list; given by the catalog. */
  aclId: number;
  /** A Language of the contract. */
  language: number;
  /** When the document was changed at its source, in milliseconds since 1970. */
  updatedMs: number | undefined;
  attributes: Readonly<Record<string, string>>;
}

/** A change of a corpus in a store. Each kind is done in one step, and doing it twice is the same as once. */
export type Change<R extends IndexRow> =
  | {
      /**
       * The documents become, in `version`, what `rows` say; with no rows they leave it. Older versions keep theirs.
       */
      kind: 'replace';
      version: number;
      documentIds: readonly string[];
      rows: readonly R[];
    }
  | {
      /** Only versions `oldest` to `newest` stay: rows of none of them go, and what later ones removed comes back. */
      kind: 'retain';
      oldest: number;
      newest: number;
    }
  | {
      /** The documents go from every version. */
      kind: 'purge';
      documentIds: readonly string[];
    }
  | {
      /**
       * The documents get this access list in every version up to `version`, so that an older version that becomes live
       * again has the newest list. Rows of later versions keep theirs.
       */
      kind: 'access';
      version: number;
      documentIds: readonly string[];
      aclId: number;
    }
  | {
      /** These rows go from every version. */
      kind: 'forget';
      keys: readonly number[];
    };

/** What a query may see. The conditions hold inside the search, before the best are chosen. */
export interface Scope {
  /** Corpora, each at a version. */
  corpora: readonly { corpusId: number; version: number }[];
  /** Access lists that the caller passes; only rows with one of them are found. */
  aclIds: readonly number[];
  /** The caller's own conditions. */
  filter: RowFilter | undefined;
}

/** Conditions of a caller; all must hold, and an empty list is no condition. */
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

/** Hits of several searches as one list, best first, at most `limit`; the lower key first where scores are equal. */
export function mergeHits(lists: readonly (readonly Hit[])[], limit: number): Hit[] {
  const merged = lists.length === 1 ? [...(lists[0] as readonly Hit[])] : lists.flat();
  return merged.sort((a, b) => b.score - a.score || a.key - b.key).slice(0, limit);
}
