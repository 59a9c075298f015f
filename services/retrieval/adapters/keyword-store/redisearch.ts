import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { KeywordStore } from '../../stores/keyword-store.ts';
import { changeSteps, toTerm } from '../../stores/remote/rows.ts';
import { rowWords, searchedTerms, wordNumber } from '../../stores/remote/sparse-words.ts';
import { createRemoteVocabulary, ordinaryWordCount } from '../../stores/remote/vocabulary.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { openStoreRedis, searchRedisSettings } from '../vendors/redis/connection.ts';
import { openSearchRows } from '../vendors/redis/search-rows.ts';

// BM25 in RediSearch over our own tokens. RediSearch's own BM25 counts the words of all tenants, and also deleted rows until they are collected,
// which changes scores for minutes. So the index has the row's part of a score as a level of the word, the query has the word's idf among the
// tenant's rows as a weight, and the scorer DISMAX adds up the weights of a row's words.

/** The levels of a word's saturated frequency, which is 0 to 2.2, and the step between two levels. */
const maxLevel = 8;
const levelStep = 0.25;

/** Most words of a question that are searched. */
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
            // The conditions are last: the first part of a query applies its weight to the parts after it.
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
      // RediSearch needs no maintenance.
      async maintain() {},
      async close() {
        await Promise.all([redis.close(), tokenizer.close()]);
      },
    };
  },
});

/** Returns a row's words in the form of the index: each once, at its level. */
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

/** Returns a tenant's word at each level, lowest first. The word includes the tenant, so that no query reads the postings of another tenant. */
function levelsOf(tenant: string, word: number): string[] {
  const own = (word ^ Number.parseInt(toTerm(tenant).slice(0, 8), 16)) >>> 0;
  return Array.from({ length: maxLevel }, (_, level) => `w${own.toString(36)}x${level + 1}`);
}

const anyOf = (words: readonly string[]) => `@words:(${words.join('|')})`;
const weighted = (query: string, weight: number) => `((${query})=>{$weight:${weight.toFixed(6)}})`;
