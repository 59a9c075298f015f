import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { mergeHits } from '../../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../../stores/keyword-store.ts';
import { chunksOf } from '../../stores/remote/rows.ts';
import { questionWords, rowWords, wordNumber } from '../../stores/remote/sparse-words.ts';
import { createRemoteVocabulary, ordinaryWordCount } from '../../stores/remote/vocabulary.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { expressionOf, scopeExpression } from '../vendors/milvus/conditions.ts';
import { checked, connectMilvus, loaded, milvusSettings, orMissing } from '../vendors/milvus/connection.ts';
import {
  applyChange,
  countEntities,
  countRows,
  createCollection,
  hasCollection,
  hitFields,
  listRowKeys,
  toHits,
} from '../vendors/milvus/rows.ts';

// BM25 in Milvus as an inner product of sparse vectors: the row's vector has the saturated frequency of each word, the question's vector the idf of
// its words among the tenant's rows. The server's own BM25 would use the idf and lengths of all tenants.

/** A row with its words joined by spaces. */
interface TokenRow extends KeywordRow {
  tokens: string;
}

/** The highest dimension that the server accepts. It marks rows without any word. */
const emptyDimension = 2 ** 32 - 2;

/** Most different words of a row that are counted for their idf: the longest array of the server. */
const maxRowWords = 4096;

/** Most words of a question that are counted, each by a call, and how many calls run at the same time. */
const maxCounted = 64;
const concurrentCounts = 16;

export const adapter = defineAdapter<KeywordStore, object, typeof milvusSettings>({
  settings: milvusSettings,
  async create(settings) {
    const store = await connectMilvus('keyword store', settings, 'retrieval.keyword_store');
    const name = `${settings.prefix}_keywords`;
    const tokenizer = createTokenizer();
    let isCreated = false;
    const ensure = async (): Promise<string> => {
      if (!isCreated) {
        await createCollection(
          store,
          name,
          [
            { name: 'words', data_type: 'Array', element_type: 'Int64', max_capacity: maxRowWords },
            { name: 'weights', data_type: 'SparseFloatVector' },
          ],
          [{ field_name: 'weights', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'IP' }],
        );
      }
      isCreated = true;
      return name;
    };
    const vocabulary = createRemoteVocabulary(
      async (tenant, words, signal) => {
        const count = (...conditions: string[]) => countEntities(store, name, expressionOf(tenant, conditions), signal);
        const rowCount = await count();
        const frequencies: number[] = [];
        for (const some of chunksOf(words, concurrentCounts)) {
          const counts = some.map((word) => count(`array_contains(words, ${dimensionOf(wordNumber(word))})`));
          frequencies.push(...(await Promise.all(counts)));
        }
        return { rowCount, frequencies };
      },
      { maxCounted },
    );

    /** Returns a question as the weights of dimensions. */
    const toQuery = async (
      tenant: string,
      words: readonly string[],
      signal: AbortSignal,
    ): Promise<Record<number, number>> => {
      const sparse = questionWords(words);
      // A single Han character is searched as the first character of words, and needs no weight.
      if (words.length === 1 && sparse.indices[0] !== wordNumber(words[0] as string)) {
        return { [dimensionOf(sparse.indices[0] as number)]: 1 };
      }
      const query: Record<number, number> = {};
      for (const { word, weight } of await vocabulary.weigh(tenant, words, signal)) {
        const dimension = dimensionOf(wordNumber(word));
        query[dimension] = (query[dimension] ?? 0) + weight;
      }
      return query;
    };

    return {
      async apply(tenant, corpusId, change) {
        const entities = {
          collections: async () => ((await hasCollection(store, name)) ? [name] : []),
          target: ensure,
          fieldsOf: ({ tokens }: TokenRow) => wordFields(tokens),
          sizeOf: ({ tokens }: TokenRow) => 1000 + tokens.length * 4,
        };
        if (change.kind !== 'replace') {
          await applyChange(store, tenant, corpusId, change, entities);
          vocabulary.noteChange(tenant, Number.POSITIVE_INFINITY);
          return;
        }
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, position): TokenRow => ({ ...row, tokens: tokens[position] as string }));
        await applyChange(store, tenant, corpusId, { ...change, rows }, entities);
        vocabulary.noteChange(tenant, rows.length);
      },
      async search(tenant, { text, scope, limit }, signal) {
        signal.throwIfAborted();
        const words = tokenize(text, { mode: 'query' });
        const filter = scopeExpression(tenant, scope);
        if (words.length === 0 || filter === undefined) return [];
        if (!(await hasCollection(store, name, signal))) return [];
        const query = await toQuery(tenant, words, signal);
        if (Object.keys(query).length === 0) return [];
        const ask = async () => {
          const reply = await store.client.search({
            collection_name: name,
            anns_field: 'weights',
            data: query,
            filter,
            limit,
            metric_type: 'IP',
            output_fields: hitFields,
          });
          return toHits(checked(reply).results as unknown as Record<string, unknown>[]);
        };
        const found = store.read(() => loaded(store, name, ask), signal);
        return mergeHits([(await orMissing([], found)).filter(({ score }) => score > 0)], limit);
      },
      count: (tenant, corpusId, version, signal) => countRows(store, tenant, name, { corpusId, version }, signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(store, tenant, name, { corpusId, after, limit }, signal),
      // Milvus needs no maintenance.
      async maintain() {},
      async close() {
        await Promise.all([tokenizer.close(), store.client.closeConnection()]);
      },
    };
  },
});

const dimensionOf = (word: number) => Math.min(word, emptyDimension - 1);

function wordFields(tokens: string): { words: number[]; weights: Record<number, number> } {
  const { indices, values } = rowWords(tokens === '' ? [] : tokens.split(' '), ordinaryWordCount);
  const weights: Record<number, number> = {};
  for (const [position, index] of indices.entries()) weights[dimensionOf(index)] = values[position] as number;
  if (indices.length === 0) weights[emptyDimension] = 1;
  return { words: Object.keys(weights).slice(0, maxRowWords).map(Number), weights };
}
