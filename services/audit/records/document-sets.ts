import { LRUCache } from 'lru-cache';
import { keyOf } from './rows.ts';

/**
 * Remembers which entry has written the rows of a set of documents. Most answers show documents that an answer before has shown, such as
 * every answer from the cache: their entries refer to the rows of that entry. What is not remembered is written again.
 */
export interface DocumentSets {
  /** Returns the entry of the tenant that has the rows of these documents, at or before its entry `last`; `undefined` if none is known. */
  find(tenant: string, documentIds: readonly string[], last: number): number | undefined;
  /** Remembers entries whose rows are durable now. */
  add(written: readonly WrittenSet[]): void;
  /** Forgets everything: the database may have lost what it acknowledged. */
  clear(): void;
}

/** An entry with rows of its own. */
export interface WrittenSet {
  tenant: string;
  sequence: number;
  documentIds: readonly string[];
}

/** Characters of ids that are remembered, about 16 MB. */
const maxCharacters = 8_000_000;

/** Creates an empty memory of sets. */
export function createDocumentSets(): DocumentSets {
  const sequences = new LRUCache<string, number>({
    maxSize: maxCharacters,
    sizeCalculation: (_, key) => key.length,
  });
  // By list: audit has one for each list of evidence.
  const names = new WeakMap<readonly string[], string>();
  const nameOf = (tenant: string, documentIds: readonly string[]) => {
    let name = names.get(documentIds);
    if (name === undefined) {
      name = JSON.stringify(documentIds.toSorted());
      names.set(documentIds, name);
    }
    return keyOf(tenant, name);
  };
  return {
    find(tenant, documentIds, last) {
      const sequence = sequences.get(nameOf(tenant, documentIds));
      return sequence !== undefined && sequence <= last ? sequence : undefined;
    },
    add(written) {
      for (const { tenant, sequence, documentIds } of written) sequences.set(nameOf(tenant, documentIds), sequence);
    },
    clear: () => sequences.clear(),
  };
}
