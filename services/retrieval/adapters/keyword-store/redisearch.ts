import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { KeywordStore } from '../../stores/keyword-store.ts';
import { changeSteps, toTerm } from '../../stores/remote/rows.ts';
import { rowWords, searchedTerms, wordNumber } from '../../stores/remote/sparse-words.ts';
import { createRemoteVocabulary, ordinaryWordCount } from '../../stores/remote/vocabulary.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { openStoreRedis, searchRedisSettings } from '../vendors/redis/connection.ts';
import { openSearchRows } from '../vendors/redis/search-rows.ts';

// BM25 in RediSearch over our own tokens. Its own BM25 counts words over all tenants, and deleted rows too until they are
// collected, which moves scores for minutes. So a row's part of a score goes into the index as a level of the word, and a
// word's idf, counted among the tenant's rows, into the query as a weight; the scorer DISMAX adds up the weights of what
// a row has.

/** Levels of a word's saturated frequency, which is 0 to 2.2, and the step between them. */
const maxLevel = 8;
const levelStep = 0.25;

/** Words of a question that are searched. */
const maxWords = 32;

export const adapter = defineAdapter<KeywordStore, object, typeof searchRedisSettings>({
  settings: searchRedisSettings,
  async create(given) {
    const redis = await openStoreRedis(given, 'keyword store');
    const prefix = `${given.key_prefix}ft-keywords`;
    const rows = openSearchRows(redis, prefix, ['words', 'TEXT', 'NOSTEM'], given.timeout_ms);
    const tokenizer = createTokenizer();
    const vocabulary = createRemoteVocabulary(async (tenant, words, signal) => {
      const queries = words.map((word) => anyOf(levelsOf(tenant, wordNumber(word))));
      const [rowCount = 0, ...frequencies] = await rows.countEach(tenant, ['', ...queries], signal);
      return { rowCount, frequencies };
    });

    return {
      async apply(tenant, corpusId, change) {
        const written = change.kind === 'replace' ? change.rows : [];
        if (written.length > 0) await rows.ensure();
        const tokens = await tokenizer.tokenizeAll(written.map(({ title, text }) => `${title}\n${text}`));
        const byKey = new Map(written.map(({ key }, index) => [key, tokens[index] as string]));
        for (const step of changeSteps(corpusId, change)) {
          await rows.step(tenant, corpusId, step, ({ key }) => ({
            words: levelledWords(tenant, byKey.get(key) ?? ''),
          }));
        }
        await redis.flush();
        vocabulary.noteChange(tenant, Math.max(1, written.length));
      },
      async search(tenant, { text, scope, limit }, signal) {
        signal.throwIfAborted();
        const terms = searchedTerms(tokenize(text, { mode: 'query' }));
        if (terms.length === 0) return [];
        const weighed = (await vocabulary.weigh(tenant, terms, signal)).slice(0, maxWords);
        if (weighed.length === 0) return [];
        const words = weighed.map(({ word, weight }) => ({ levels: levelsOf(tenant, wordNumber(word)), weight }));
        const parts = words.flatMap(({ levels, weight }) =>
          levels.map((level, index) => weighted(`~${anyOf([level])}`, weight * (index + 1) * levelStep)),
        );
        const any = weighted(anyOf(words.flatMap(({ levels }) => levels)), 0);
        return rows.search(
          tenant,
          {
            // The conditions last: what stands first takes in what follows, with its weight.
            toQuery: (conditions) => `(${any} ${parts.join(' ')}) ${weighted(conditions, 0)}`,
            args: ['SCORER', 'DISMAX', 'WITHSCORES'],
            scope,
            limit,
            toScore: (score) => score,
          },
          signal,
        );
      },
      count: (tenant, corpusId, version, signal) => rows.count(tenant, corpusId, version, signal),
      listKeys: (tenant, corpusId, after, limit, signal) => rows.listKeys(tenant, corpusId, after, limit, signal),
      // RediSearch tidies up by itself.
      async maintain() {},
      async close() {
        await Promise.all([redis.close(), tokenizer.close()]);
      },
    };
  },
});

/** A row's words as the index holds them: each once, at its level. */
function levelledWords(tenant: string, tokens: string): string {
  if (tokens === '') return '';
  const { indices, values } = rowWords(tokens.split(' '), ordinaryWordCount);
  return indices
    .map((index, position) => {
      const level = Math.round((values[position] as number) / levelStep);
      return levelsOf(tenant, index)[Math.min(maxLevel, Math.max(1, level)) - 1];
    })
    .join(' ');
}

/** A word of a tenant at each level, lowest first. The tenant is in it, so that no query reads the lists of another's. */
function levelsOf(tenant: string, word: number): string[] {
  const own = (word ^ Number.parseInt(toTerm(tenant).slice(0, 8), 16)) >>> 0;
  return Array.from({ length: maxLevel }, (_, level) => `w${own.toString(36)}x${level + 1}`);
}

const anyOf = (words: readonly string[]) => `@words:(${words.join('|')})`;
const weighted = (query: string, weight: number) => `((${query})=>{$weight:${weight.toFixed(6)}})`;
