import { z } from 'zod';
import { within } from '#kit/base/within.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { isPrefixWord } from '#kit/text/query/fts-query.ts';
import { type QueryWord, weighWords } from '#kit/text/query/query-words.ts';
import { type Hit, mergeHits } from '../../../stores/index-row.ts';
import type { KeywordStore } from '../../../stores/keyword-store.ts';
import { createTokenizer } from '../../../stores/tokenizer.ts';
import { scopeConditions } from '../../vendors/postgres/conditions.ts';
import { connectStore, type PostgresDeps, postgresSettings } from '../../vendors/postgres/connection.ts';
import { applyChange, countRows, listRowKeys } from '../../vendors/postgres/rows.ts';
import { mergeAllSegments, mergeSegments } from './merge.ts';
import { keywordMigrations, keywordTable } from './schema.ts';
import { beginningsStatement, searchStatement } from './search.ts';
import { tokenTable } from './write.ts';

// BM25 in PostgreSQL over our own tokens: an inverted index in tables, because PostgreSQL's own text search has no idf, and its ranking reads
// every row that has a word. No extension is needed.

const keywordSettings = {
  ...postgresSettings,
  max_postings: z
    .int()
    .min(1000)
    .max(100_000_000)
    .describe(
      'Rows of the words of a question, all words together, that are scored at most. Words in the most rows are left out first',
    )
    .default(200_000),
};

/** Rows with the best scores for which the conditions are read first, for each hit. */
const candidatesPerHit = 20;

export const adapter = defineAdapter<KeywordStore, PostgresDeps, typeof keywordSettings>({
  settings: keywordSettings,
  async create(settings, deps) {
    const store = await connectStore(settings, deps, {
      path: 'retrieval.keyword_store',
      name: 'keyword store',
      tables: 'keywords',
      migrations: keywordMigrations,
    });
    const tokenizer = createTokenizer();
    const query = <Row>({ sql, values }: { sql: string; values: unknown[] }, signal: AbortSignal) =>
      store.read((connection) => connection.query<Row>(sql, values), signal);

    /** Returns the words to search: those of the question, or those that begin with a lone Han character. */
    const wordsFor = async (
      tenant: string,
      corpusIds: readonly number[],
      words: readonly QueryWord[],
      signal: AbortSignal,
    ): Promise<readonly QueryWord[]> => {
      const [only] = words;
      if (only === undefined || words.length > 1 || !isPrefixWord(only.word)) return words;
      return query<QueryWord>(beginningsStatement(tenant, corpusIds, only.word), signal);
    };

    return {
      async apply(tenant, corpusId, change) {
        if (change.kind !== 'replace') return applyChange(store, tenant, corpusId, change, tokenTable);
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, index) => ({ ...row, tokens: tokens[index] as string }));
        return applyChange(store, tenant, corpusId, { ...change, rows }, tokenTable);
      },
      async search(tenant, { text, words: given = weighWords(text), scope, limit }, signal) {
        signal.throwIfAborted();
        const conditions = scopeConditions(tenant, scope);
        if (given.length === 0 || conditions.length === 0) return [];
        const corpusIds = scope.corpora.map(({ corpusId }) => corpusId);
        const words = await wordsFor(tenant, corpusIds, given, signal);
        if (words.length === 0) return [];
        const asked = { tenant, corpusIds, words, limit, maxPostings: settings.max_postings };
        const lists = await Promise.all(
          conditions.map(async (condition) => {
            // Most callers may see most rows, so the rows with the best scores are enough: sorting all of them takes longer.
            const candidates = scope.filter === undefined ? limit * candidatesPerHit : undefined;
            const hits = await query<Hit>(searchStatement({ ...asked, candidates }, condition), signal);
            if (hits.length === limit || candidates === undefined) return hits;
            return query<Hit>(searchStatement({ ...asked, candidates: undefined }, condition), signal);
          }),
        );
        return mergeHits(lists, limit);
      },
      count: (tenant, corpusId, version, signal) =>
        countRows(store, keywordTable, { tenant, corpusId, version }, signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(store, keywordTable, { tenant, corpusId, after, limit }, signal),
      // PostgreSQL finishes a merge that no one waits for any more.
      maintain: (tenant, corpusId, signal) =>
        within(() => mergeSegments(store, tenant, corpusId), { signals: [signal] }),
      scrub: (tenant) => mergeAllSegments(store, tenant),
      async close() {
        await tokenizer.close();
        await store.close();
      },
    };
  },
});
