import { LRUCache } from 'lru-cache';
import { planWords } from './query-plan.ts';
import { chunksOf } from './rows.ts';

// How telling words are, for engines that hold all tenants' rows together: an engine's own frequencies would tell a
// tenant about the others' documents, so they are counted among the tenant's rows, and remembered for a while.

/** A word of a question that is searched. */
export interface WeighedWord {
  word: string;
  /** BM25's idf in the tenant (Robertson & Zaragoza 2009, §3.1), times how often the question says it. */
  weight: number;
}

/** How many of a tenant's rows there are, and how many have each of the words, in order. */
export type CountWords = (
  tenant: string,
  words: readonly string[],
  signal: AbortSignal,
) => Promise<{ rowCount: number; frequencies: readonly number[] }>;

/** Chooses and weighs the words of questions. */
export interface RemoteVocabulary {
  /** The words of a question that are worth searching, the most telling first. */
  weigh(tenant: string, words: readonly string[], signal: AbortSignal): Promise<WeighedWord[]>;
  /** Rows of a tenant have changed. */
  noteChange(tenant: string, changedCount: number): void;
}

/** The length of an ordinary row in words: a constant, so that the weights of old rows agree with those of new ones. */
export const ordinaryWordCount = 200;

/** Bounds of a vocabulary. */
export interface VocabularyBounds {
  /** Different words of a question that are counted, the first ones. @default 4096: all, up to the contract's longest */
  maxCounted?: number;
}

/** Words beyond those counted that are searched all the same, and the share of rows that they are taken to be in. */
const maxUncounted = 1024;
const uncountedShare = 0.01;

/** Words that are counted at once. */
const batchSize = 256;

/** Share of a tenant's rows that may change before words are counted again; counts only weigh words. */
const maxDrift = 0.1;

/** How long a count is good for where another process may write, in milliseconds. */
const maxAgeMs = 60_000;

/** Creates a vocabulary; `count` asks the engine, for at most 256 words at once. */
export function createRemoteVocabulary(
  count: CountWords,
  { maxCounted = 4096 }: VocabularyBounds = {},
): RemoteVocabulary {
  const counts = new LRUCache<string, number>({ max: 200_000, ttl: maxAgeMs });
  const tenants = new LRUCache<string, { generation: number; rowCount: number; changedCount: number }>({
    max: 1000,
    ttl: maxAgeMs,
  });
  let lastGeneration = 0;
  return {
    async weigh(tenant, words, signal) {
      const all = [...new Set(words)];
      const different = all.slice(0, maxCounted);
      let known = tenants.get(tenant);
      const keyOf = (word: string) => `${known?.generation} ${word}`;
      const frequencies = new Map<string, number>();
      for (const word of different) {
        const frequency = known === undefined ? undefined : counts.get(keyOf(word));
        if (frequency !== undefined) frequencies.set(word, frequency);
      }
      const missing = different.filter((word) => !frequencies.has(word));
      if (known === undefined || missing.length > 0) {
        const batches = missing.length === 0 ? [[]] : chunksOf(missing, batchSize);
        const replies = await Promise.all(batches.map((batch) => count(tenant, batch, signal)));
        if (known === undefined) {
          known = { generation: ++lastGeneration, rowCount: replies[0]?.rowCount ?? 0, changedCount: 0 };
          tenants.set(tenant, known);
        }
        const counted = replies.flatMap((reply) => reply.frequencies);
        for (const [index, word] of missing.entries()) {
          const frequency = counted[index] ?? 0;
          frequencies.set(word, frequency);
          // A word that no row has yet is not remembered: the next write may bring it.
          if (frequency > 0) counts.set(keyOf(word), frequency);
        }
      }
      const { rowCount } = known;
      const frequencyOf = (word: string) => frequencies.get(word) ?? 0;
      const repeats = new Map<string, number>();
      for (const word of planWords(words, frequencyOf, rowCount)) repeats.set(word, (repeats.get(word) ?? 0) + 1);
      const idfOf = (frequency: number) => Math.log(1 + (Math.max(0, rowCount - frequency) + 0.5) / (frequency + 0.5));
      const uncounted = all.slice(maxCounted, maxCounted + maxUncounted);
      return [
        ...[...repeats].map(([word, times]) => ({ word, weight: times * idfOf(frequencyOf(word)) })),
        ...uncounted.map((word) => ({ word, weight: idfOf(rowCount * uncountedShare) })),
      ];
    },
    noteChange(tenant, changedCount) {
      const known = tenants.get(tenant);
      if (known === undefined) return;
      known.changedCount += changedCount;
      if (known.changedCount > known.rowCount * maxDrift) tenants.delete(tenant);
    },
  };
}
