import type { estypes } from '@elastic/elasticsearch';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { bm25 } from '../../stores/bm25.ts';
import { mergeHits } from '../../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../../stores/keyword-store.ts';
import { toTerm } from '../../stores/remote/rows.ts';
import { createRemoteVocabulary, ordinaryWordCount, type WeighedWord } from '../../stores/remote/vocabulary.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { scopeConditions, tenantRows, versionRows } from '../vendors/elasticsearch/conditions.ts';
import { connectElasticsearch, elasticsearchSettings } from '../vendors/elasticsearch/connection.ts';
import { applyChange, countRows, createIndex, listRowKeys, searchHits } from '../vendors/elasticsearch/rows.ts';

// BM25 by Elasticsearch over our own tokens, which an analyzer splits at spaces: it needs no plugin, and matches Chinese, English and codes like
// the embedded store. The server's own idf and average length would include all tenants, so a scripted similarity omits them, and each word
// of the question has its idf in the tenant as boost.

/** A row with its words joined by spaces. */
interface TokenRow extends KeywordRow {
  tokens: string;
}

const oneHan = /^\p{sc=Han}$/u;
const firstHan = /^\p{sc=Han}/u;

/** The settings and fields of the index; a server needs no plugin for them. */
export const keywordIndex = {
  settings: {
    analysis: { analyzer: { ragmesh_words: { type: 'custom', tokenizer: 'whitespace' } } },
    similarity: {
      ragmesh_bm25: {
        type: 'scripted',
        script: {
          source: `double norm = ${bm25.k1} * (${1 - bm25.b} + ${bm25.b} * doc.length / ${ordinaryWordCount}.0); return query.boost * ${bm25.k1 + 1} * doc.freq / (doc.freq + norm);`,
        },
      },
    },
  },
  properties: {
    words: { type: 'text', analyzer: 'ragmesh_words', similarity: 'ragmesh_bm25', index_options: 'freqs' },
    // The first characters of Chinese words, for questions of a single character: text is indexed by pairs.
    beginnings: { type: 'text', analyzer: 'ragmesh_words', similarity: 'ragmesh_bm25', index_options: 'freqs' },
  },
} as const;

export const adapter = defineAdapter<KeywordStore, object, typeof elasticsearchSettings>({
  settings: elasticsearchSettings,
  create(settings) {
    const elasticsearch = connectElasticsearch('keyword store', settings, 'retrieval.keyword_store');
    const index = `${settings.prefix}-keywords`;
    const tokenizer = createTokenizer();
    let isCreated = false;
    const vocabulary = createRemoteVocabulary(async (tenant, words, signal) => {
      const { client, read } = elasticsearch;
      const reply = await read(
        (running) =>
          client.search<unknown, Record<string, estypes.AggregationsFilterAggregate>>(
            {
              index,
              routing: toTerm(tenant),
              ignore_unavailable: true,
              allow_partial_search_results: false,
              track_total_hits: true,
              size: 0,
              query: tenantRows(tenant),
              aggregations: Object.fromEntries(
                words.map((word, position) => [`w${position}`, { filter: { term: { words: { value: word } } } }]),
              ),
            },
            { signal: running },
          ),
        signal,
      );
      const total = reply.hits.total;
      return {
        rowCount: typeof total === 'number' ? total : (total?.value ?? 0),
        frequencies: words.map((_word, position) => reply.aggregations?.[`w${position}`]?.doc_count ?? 0),
      };
    });

    const shouldFor = async (
      tenant: string,
      words: readonly string[],
      signal: AbortSignal,
    ): Promise<estypes.QueryDslQueryContainer[]> => {
      const [only] = words;
      if (words.length === 1 && oneHan.test(only as string)) {
        return [{ term: { beginnings: { value: only as string } } }];
      }
      return (await vocabulary.weigh(tenant, words, signal)).map(({ word, weight }: WeighedWord) => ({
        term: { words: { value: word, boost: weight } },
      }));
    };

    return {
      async apply(tenant, corpusId, change) {
        const indices = {
          pattern: index,
          async indexOf(again: boolean) {
            if (!isCreated || again) await createIndex(elasticsearch, index, settings, keywordIndex);
            isCreated = true;
            return index;
          },
          sourceOf: ({ tokens }: TokenRow) => ({ words: tokens, beginnings: beginningsOf(tokens) }),
          sizeOf: ({ tokens }: TokenRow) => 1000 + tokens.length * 4,
        };
        if (change.kind !== 'replace') {
          await applyChange(elasticsearch, tenant, corpusId, change, indices);
          vocabulary.noteChange(tenant, Number.POSITIVE_INFINITY);
          return;
        }
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, position): TokenRow => ({ ...row, tokens: tokens[position] as string }));
        await applyChange(elasticsearch, tenant, corpusId, { ...change, rows }, indices);
        vocabulary.noteChange(tenant, rows.length);
      },
      async search(tenant, { text, scope, limit }, signal) {
        signal.throwIfAborted();
        const words = tokenize(text, { mode: 'query' });
        const conditions = scopeConditions(tenant, scope);
        if (words.length === 0 || conditions.length === 0) return [];
        const should = await shouldFor(tenant, words, signal);
        if (should.length === 0) return [];
        const lists = await Promise.all(
          conditions.map((filter) => {
            const query = { bool: { filter: [filter], should, minimum_should_match: 1 } };
            return searchHits(elasticsearch, index, tenant, query, limit, signal);
          }),
        );
        return mergeHits(lists, limit);
      },
      count: (tenant, corpusId, version, signal) =>
        countRows(elasticsearch, index, tenant, versionRows(tenant, corpusId, version), signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(elasticsearch, index, tenant, { corpusId, after, limit }, signal),
      // Elasticsearch merges its segments by itself.
      async maintain() {},
      async close() {
        await Promise.all([tokenizer.close(), elasticsearch.client.close()]);
      },
    };
  },
});

function beginningsOf(tokens: string): string {
  return tokens
    .split(' ')
    .flatMap((token) => firstHan.exec(token)?.[0] ?? [])
    .join(' ');
}
