import { LRUCache } from 'lru-cache';
import { planWords } from './query-plan.ts';
import { chunksOf } from './rows.ts';

// The weights of words, for engines that keep the rows of all tenants together. The engine's own frequencies would reveal the words of other
// tenants' documents, so words are counted among the tenant's rows, and the counts are kept for a while.

/** A word of a question that is searched. */
export interface WeighedWord {
  word: string;
  /** BM25's idf in the tenant (Robertson & Zaragoza 2009, §3.1), times the occurrences of the word in the question. */
  weight: number;
}

/** Returns the number of a tenant's rows, and for each word the number of rows that have it. */
export type CountWords = (
  tenant: string,
  words: readonly string[],
  signal: AbortSignal,
) => Promise<{ rowCount: number; frequencies: readonly number[] }>;

/** Chooses and weighs the words of questions. */
export interface RemoteVocabulary {
  /** Returns the words of a question that are worth searching, the highest weight first. */
  weigh(tenant: string, words: readonly string[], signal: AbortSignal): Promise<WeighedWord[]>;
  /** Records that rows of a tenant have changed. */
  noteChange(tenant: string, changedCount: number): void;
}

/** The assumed average length of a row in words. It is constant, so that the weights of old and new rows agree. */
export const ordinaryWordCount = 200;

/** Bounds of a vocabulary. */
export interface VocabularyBounds {
  /** Different words of a question that are counted. @default 4096: all words of the longest question */
  maxCounted?: number;
}

/** Most words beyond the counted ones that are searched too, and the share of rows that is assumed to have each. */
const maxUncounted = 1024;
const uncountedShare = 0.01;

/** Words of one request to the engine. */
const batchSize = 256;

/** Share of a tenant's rows that may change before words are counted again; counts only affect weights. */
const maxDrift = 0.1;

/** How long a count stays valid, in milliseconds: another process may write too. */
const maxAgeMs = 60_000;

/** The counts of a tenant. */
interface TenantCounts {
  /** Part of the keys of the words' counts, so that new counts do not mix with old ones. */
  generation: number;
  rowCount: number;
  changedCount: number;
}

/** Creates a vocabulary. `count` asks the engine, for at most 256 words in a request. */
export function createRemoteVocabulary(
  count: CountWords,
  { maxCounted = 4096 }: VocabularyBounds = {},
): RemoteVocabulary {
  const counts = new LRUCache<string, number>({ max: 200_000, ttl: maxAgeMs });
  const tenants = new LRUCache<string, TenantCounts>({ max: 1000, ttl: maxAgeMs });
  let lastGeneration = 0;

  /** Returns the tenant's row count and the frequencies of words; asks the engine for those that are not known. */
  const lookUp = async (tenant: string, words: readonly string[], signal: AbortSignal) => {
    let known = tenants.get(tenant);
    const frequencies = new Map<string, number>();
    const missing: string[] = [];
    for (const word of words) {
      const frequency = known === undefined ? undefined : counts.get(keyOf(known, word));
      if (frequency === undefined) missing.push(word);
      else frequencies.set(word, frequency);
    }
    if (known !== undefined && missing.length === 0) return { rowCount: known.rowCount, frequencies };
    // Without words the engine is asked for the number of rows only.
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
      // A word that no row has is not kept: the next write may bring it.
      if (frequency > 0) counts.set(keyOf(known, word), frequency);
    }
    return { rowCount: known.rowCount, frequencies };
  };

  return {
    async weigh(tenant, words, signal) {
      const different = [...new Set(words)];
      const { rowCount, frequencies } = await lookUp(tenant, different.slice(0, maxCounted), signal);
      const uncounted = different.slice(maxCounted, maxCounted + maxUncounted);
      return [
        ...weighCounted(words, frequencies, rowCount),
        ...uncounted.map((word) => ({ word, weight: idfOf(rowCount * uncountedShare, rowCount) })),
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

const keyOf = ({ generation }: TenantCounts, word: string) => `${generation} ${word}`;

function weighCounted(
  words: readonly string[],
  frequencies: ReadonlyMap<string, number>,
  rowCount: number,
): WeighedWord[] {
  const frequencyOf = (word: string) => frequencies.get(word) ?? 0;
  const repeats = new Map<string, number>();
  for (const word of planWords(words, frequencyOf, rowCount)) repeats.set(word, (repeats.get(word) ?? 0) + 1);
  return [...repeats].map(([word, times]) => ({ word, weight: times * idfOf(frequencyOf(word), rowCount) }));
}

function idfOf(frequency: number, rowCount: number): number {
  return Math.log(1 + (Math.max(0, rowCount - frequency) + 0.5) / (frequency + 0.5));
}
