import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { mergeHits } from '../../stores/index-row.ts';
import type { KeywordRow, KeywordStore } from '../../stores/keyword-store.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { scopeCondition } from '../vendors/weaviate/conditions.ts';
import { connectWeaviate, orMissing, weaviateSettings } from '../vendors/weaviate/connection.ts';
import {
  applyChange,
  countRows,
  createCollection,
  hitProperties,
  listRowKeys,
  toHits,
} from '../vendors/weaviate/rows.ts';

// BM25 by Weaviate over our own tokens, which it splits at spaces: it matches Chinese, English and codes like the embedded store. Each tenant has an
// inverted index and word statistics of its own.

/** A row with its words joined by spaces. */
interface TokenRow extends KeywordRow {
  tokens: string;
}

const oneHan = /^\p{sc=Han}$/u;
const firstHan = /^\p{sc=Han}/u;

/** Most different words of a question that are searched. */
const maxWords = 4096;

export const adapter = defineAdapter<KeywordStore, object, typeof weaviateSettings>({
  settings: weaviateSettings,
  async create(settings) {
    const store = await connectWeaviate('keyword store', settings, 'retrieval.keyword_store');
    const name = `${settings.prefix}Keywords`;
    const tokenizer = createTokenizer();
    let isCreated = false;
    const words = (property: string) => ({
      name: property,
      dataType: 'text' as const,
      tokenization: 'whitespace' as const,
      indexFilterable: false,
      indexSearchable: true,
    });
    const ensure = async (): Promise<string> => {
      if (!isCreated) {
        // Chinese text is indexed by pairs of characters. The first characters have a property of their own, for questions of a single
        // character.
        await createCollection(store, name, settings, { properties: [words('words'), words('beginnings')] });
      }
      isCreated = true;
      return name;
    };
    return {
      async apply(tenant, corpusId, change) {
        const objects = {
          collections: async () => [name],
          target: ensure,
          propertiesOf: ({ tokens }: TokenRow) => ({ words: tokens, beginnings: beginningsOf(tokens) }),
          vectorOf: () => undefined,
          sizeOf: ({ tokens }: TokenRow) => 1000 + tokens.length * 4,
        };
        if (change.kind !== 'replace') {
          await applyChange(store, tenant, corpusId, change, objects);
          return;
        }
        const tokens = await tokenizer.tokenizeAll(change.rows.map(({ title, text }) => `${title}\n${text}`));
        const rows = change.rows.map((row, position): TokenRow => ({ ...row, tokens: tokens[position] as string }));
        await applyChange(store, tenant, corpusId, { ...change, rows }, objects);
      },
      async search(tenant, { text, scope, limit }, signal) {
        signal.throwIfAborted();
        const tokens = tokenize(text, { mode: 'query' }).slice(0, maxWords);
        if (tokens.length === 0) return [];
        const isBeginning = tokens.length === 1 && oneHan.test(tokens[0] as string);
        const found = store.read(async (running) => {
          const collection = await store.of(tenant, name);
          const filters = scopeCondition(store, collection, scope);
          if (filters === undefined) return [];
          const { objects } = await collection.query.bm25(
            tokens.join(' '),
            {
              filters,
              limit,
              queryProperties: [isBeginning ? 'beginnings' : 'words'] as never,
              returnMetadata: ['score'],
              returnProperties: hitProperties as never,
            },
            { abortSignal: running },
          );
          return toHits(objects, ({ score }) => score as number);
        }, signal);
        return mergeHits([await orMissing([], found)], limit);
      },
      count: (tenant, corpusId, version, signal) => countRows(store, tenant, name, { corpusId, version }, signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        listRowKeys(store, tenant, name, { corpusId, after, limit }, signal),
      // Weaviate needs no maintenance.
      async maintain() {},
      async close() {
        await Promise.all([tokenizer.close(), store.close()]);
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
