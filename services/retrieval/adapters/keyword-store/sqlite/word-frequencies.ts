import { LRUCache } from 'lru-cache';
import { oneOf } from '../../../sqlite/rows.ts';
import type { TenantFiles } from '../../../sqlite/tenant-files.ts';
import { planWords } from '../../../stores/remote/query-plan.ts';

/** Chooses the words of a question that are worth searching, by their frequencies among the tenant's rows. */
export interface WordFrequencies {
  /** Returns the words to search, each as often as it counts. */
  plan(tenant: string, words: readonly string[], signal: AbortSignal): Promise<string[]>;
  /** Records that rows of the tenant have changed. */
  noteChange(tenant: string, changedCount: number): void;
}

/** Different words of a question whose frequencies are read: all, up to the contract's longest question. */
const maxLookedUp = 4096;

/** Share of a tenant's rows that may change before the frequencies are read again; they only choose words. */
const maxDrift = 0.1;

/** The state of a tenant's frequencies. */
interface Vocabulary {
  /** Part of the keys of the frequencies, so that a new vocabulary does not see old ones. */
  generation: number;
  rowCount: number | undefined;
  changedCount: number;
}

/** Creates the frequencies over the tenants' files. */
export function createWordFrequencies(files: TenantFiles): WordFrequencies {
  const vocabularies = new LRUCache<string, Vocabulary>({ max: 1000 });
  const frequencies = new LRUCache<string, number>({ max: 200_000 });
  let lastGeneration = 0;

  const vocabularyOf = (tenant: string): Vocabulary => {
    let vocabulary = vocabularies.get(tenant);
    if (vocabulary === undefined) {
      vocabulary = { generation: ++lastGeneration, rowCount: undefined, changedCount: 0 };
      vocabularies.set(tenant, vocabulary);
    }
    return vocabulary;
  };
  const countRows = async (tenant: string, vocabulary: Vocabulary, signal: AbortSignal): Promise<number> => {
    if (vocabulary.rowCount === undefined) {
      const [row] = await files.read(
        tenant,
        { sql: 'SELECT sum(row_count) AS count FROM corpus_size', params: [] },
        signal,
      );
      vocabulary.rowCount = Number(row?.count ?? 0);
    }
    return vocabulary.rowCount;
  };
  const readFrequencies = async (tenant: string, words: readonly string[], signal: AbortSignal) => {
    if (words.length === 0) return [];
    const sql = `SELECT term, doc FROM word WHERE ${oneOf('term')}`;
    return files.read(tenant, { sql, params: [JSON.stringify(words)] }, signal);
  };

  return {
    async plan(tenant, words, signal) {
      const vocabulary = vocabularyOf(tenant);
      const keyOf = (word: string) => `${vocabulary.generation} ${word}`;
      const known = new Map<string, number>();
      const missing: string[] = [];
      for (const word of [...new Set(words)].slice(0, maxLookedUp)) {
        const frequency = frequencies.get(keyOf(word));
        if (frequency === undefined) missing.push(word);
        else known.set(word, frequency);
      }
      const [rowCount, rows] = await Promise.all([
        countRows(tenant, vocabulary, signal),
        readFrequencies(tenant, missing, signal),
      ]);
      // A word that no row has is not kept: the next write may bring it.
      for (const { term, doc } of rows) {
        known.set(term as string, doc as number);
        frequencies.set(keyOf(term as string), doc as number);
      }
      return planWords(words, (word) => known.get(word) ?? 0, rowCount);
    },
    noteChange(tenant, changedCount) {
      const vocabulary = vocabularyOf(tenant);
      vocabulary.changedCount += changedCount;
      if (vocabulary.changedCount > (vocabulary.rowCount ?? 0) * maxDrift) vocabularies.delete(tenant);
    },
  };
}
