import { create } from '@bufbuild/protobuf';
import { type Degradation, DegradationSchema, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { CorpusView, IndexView } from '../index/index-view.ts';
import type { TenantIndex } from '../index/tenant-index.ts';
import { markMissing, type ReconcileDeps } from './reconcile.ts';

/** Rows that a store lost, for example with its file: a search would find less, and nothing would say so. */
export interface MissingRows {
  /**
   * Compares the counts of both stores with the catalog's, for the live versions of a tenant's index. Logs what is missing, and marks its
   * documents as incomplete, so that the next upload writes them again. Rejects if a store cannot count.
   */
  compare(index: TenantIndex, signal: AbortSignal): Promise<void>;
  /** Returns a degradation for each store that lacks rows of one of the corpora at its live version. */
  degradationsOf(tenant: string, corpora: readonly CorpusView[]): Degradation[];
  /** Forgets what is missing of versions that are no longer live: a publish compares by itself. */
  settle(tenant: string, view: IndexView): void;
  /** Returns the chunks that the stores are known to lack, by store. */
  counts(): { vector: number; keyword: number };
  /** Says which store lacks how much; the service is usable without. */
  readonly readiness: ReadinessCheck;
}

/** What one store lacks of a version. */
interface Missing {
  store: 'vector' | 'keyword';
  tenant: string;
  corpusId: number;
  version: number;
  heldCount: number;
  chunkCount: number;
}

const stages = { vector: Stage.VECTOR_SEARCH, keyword: Stage.KEYWORD_SEARCH } as const;

/** Corpora whose missing rows are remembered, at most. */
const maxKnown = 10_000;

/** What to do about it. */
const advice = 'upload the documents of the corpus again: what is missing is written again, and the rest is unchanged';

/** Creates the comparison. */
export function createMissingRows({ catalog, vectors, keywords, log }: ReconcileDeps): MissingRows {
  const known = new Map<string, Missing>();
  const keyOf = (store: string, tenant: string, corpusId: number) => `${store}/${corpusId}/${tenant}`;

  const look = async (index: TenantIndex, view: IndexView, signal: AbortSignal): Promise<Missing[]> => {
    const found: Missing[] = [];
    for (const { corpusId, live, versions } of view.corpora.values()) {
      const version = versions.find((each) => each.version === live);
      if (version === undefined) continue;
      const { tenant } = index;
      const { chunkCount } = await catalog.contents.count(tenant, corpusId, live, version);
      for (const [store, { count }] of Object.entries({ vector: vectors, keyword: keywords })) {
        const heldCount = await count(tenant, corpusId, live, signal);
        if (heldCount >= chunkCount) continue;
        found.push({ store: store as Missing['store'], tenant, corpusId, version: live, heldCount, chunkCount });
      }
    }
    return found;
  };

  return {
    async compare(index, signal) {
      let found = await look(index, index.view, signal);
      // A change between two counts looks the same; within a turn there is none.
      if (found.length === 0) return;
      await index.exclusive(signal, async () => {
        found = await look(index, index.view, signal);
        for (const { store, tenant, corpusId, version } of found) {
          await markMissing(catalog, store === 'vector' ? vectors : keywords, tenant, corpusId, version);
        }
      });
      for (const missing of found) {
        if (known.size >= maxKnown) return;
        known.set(keyOf(missing.store, missing.tenant, missing.corpusId), missing);
        log.error({ event: 'store_rows_missing', ...missing, advice }, 'store lacks rows of the index');
      }
    },
    degradationsOf(tenant, corpora) {
      if (known.size === 0) return [];
      return corpora.flatMap(({ corpusId, name, live }) =>
        (['vector', 'keyword'] as const).flatMap((store) => {
          const missing = known.get(keyOf(store, tenant, corpusId));
          if (missing?.version !== live) return [];
          // Without a number: the caller may not see every document of the corpus.
          const reason = `the ${store} store lost a part of corpus "${name}"`;
          return [create(DegradationSchema, { stage: stages[store], reason, effect: 'searched what is left' })];
        }),
      );
    },
    settle(tenant, view) {
      const live = new Map([...view.corpora.values()].map(({ corpusId, live: version }) => [corpusId, version]));
      for (const [key, missing] of known) {
        if (missing.tenant === tenant && live.get(missing.corpusId) !== missing.version) known.delete(key);
      }
    },
    counts() {
      const sums = { vector: 0, keyword: 0 };
      for (const { store, chunkCount, heldCount } of known.values()) sums[store] += chunkCount - heldCount;
      return sums;
    },
    readiness: {
      name: 'stores',
      isOptional: true,
      async check() {
        const stores = new Set([...known.values()].map(({ store }) => store));
        const lost = [...stores].map((store) => {
          const all = [...known.values()].filter((missing) => missing.store === store);
          const count = all.reduce((sum, { chunkCount, heldCount }) => sum + chunkCount - heldCount, 0);
          return `the ${store} store lacks ${count} chunks in ${all.length} corpora`;
        });
        if (lost.length > 0) throw new Error(`${lost.join(', ')}: ${advice}`);
      },
    },
  };
}
