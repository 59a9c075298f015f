import { unavailable } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import type { KeywordStore } from '../../stores/keyword-store.ts';
import { questionWords, rowWords } from '../../stores/remote/sparse-words.ts';
import { ordinaryWordCount } from '../../stores/remote/vocabulary.ts';
import { createTokenizer } from '../../stores/tokenizer.ts';
import { vectorName } from '../vendors/qdrant/changes.ts';
import { tenantFilter } from '../vendors/qdrant/conditions.ts';
import { qdrantSettings } from '../vendors/qdrant/connection.ts';
import { openQdrant } from '../vendors/qdrant/rows.ts';

// BM25 in Qdrant over our own tokens, as sparse vectors: the row's part of a score is in its vector, and Qdrant multiplies it by the word's
// idf. Qdrant counts the idf over the tenant's rows only, from version 1.19 on: an older server would count all rows, so the scores of a tenant
// would reveal the words of another.

const oldestVersion = [1, 19] as const;

export const adapter = defineAdapter<KeywordStore, object, typeof qdrantSettings>({
  settings: qdrantSettings,
  create(given) {
    const name = 'keyword store';
    const qdrant = openQdrant(given, name);
    const collection = `${given.prefix}_keywords`;
    const params = { sparse_vectors: { [vectorName]: { modifier: 'idf' as const } } };
    const tokenizer = createTokenizer();
    let isNewEnough = false;

    const checkVersion = async () => {
      if (isNewEnough) return;
      const version = await qdrant.version();
      const [major = 0, minor = 0] = version.split('.').map(Number);
      isNewEnough = major > oldestVersion[0] || (major === oldestVersion[0] && minor >= oldestVersion[1]);
      const advice = `use Qdrant ${oldestVersion.join('.')} or newer, which counts words by tenant`;
      if (!isNewEnough) throw unavailable(name, `the ${name} is Qdrant ${version}: ${advice}`);
    };
    return {
      async apply(tenant, corpusId, change) {
        await checkVersion();
        const rows = change.kind === 'replace' ? change.rows : [];
        const tokens = await tokenizer.tokenizeAll(rows.map(({ title, text }) => `${title}\n${text}`));
        const byKey = new Map(rows.map(({ key }, index) => [key, tokens[index] as string]));
        await qdrant.apply(collection, tenant, corpusId, change, {
          params,
          toVector({ key }) {
            const words = byKey.get(key) ?? '';
            return words === '' ? undefined : rowWords(words.split(' '), ordinaryWordCount);
          },
        });
      },
      async search(tenant, { text, scope, limit }, signal) {
        signal.throwIfAborted();
        const words = tokenize(text, { mode: 'query' });
        if (words.length === 0) return [];
        await checkVersion();
        const idf = { corpus: tenantFilter(tenant, []) };
        return qdrant.search(
          collection,
          tenant,
          { query: questionWords(words), scope, limit, params: { idf } },
          signal,
        );
      },
      count: (tenant, corpusId, version, signal) => qdrant.count(collection, tenant, corpusId, version, signal),
      listKeys: (tenant, corpusId, after, limit, signal) =>
        qdrant.listKeys(collection, tenant, corpusId, after, limit, signal),
      // Qdrant needs no maintenance.
      async maintain() {},
      close: () => tokenizer.close(),
    };
  },
});
