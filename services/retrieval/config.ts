import { availableParallelism } from 'node:os';
import { create, type DescField } from '@bufbuild/protobuf';
import { type AdapterConfig, type Config, RetrievalConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { type ChosenAdapter, chosenAdapter, defaultAdapterOf, ifSet } from '#kit/host/config/settings.ts';
import { type PersonalDataPolicies, readPersonalData } from '#kit/personal-data/policy.ts';

/** Settings of the retrieval service. */
export interface RetrievalSettings {
  /** The store of vectors. */
  readonly vectorStore: ChosenAdapter;
  /** The store of words. */
  readonly keywordStore: ChosenAdapter;
  /** Weight of the vector leg in the fused score, 0 to 1; the keyword leg has the rest. @default by the embedding model */
  readonly vectorWeight: number | undefined;
  /** Weights of the vector leg by corpus. */
  readonly corpusWeights: ReadonlyMap<string, number>;
  /** Corpora whose passages are not reranked. */
  readonly notReranked: ReadonlySet<string>;
  /** The web search; `undefined`: none. */
  readonly webSearch: ChosenAdapter | undefined;
  /** Candidates of each leg. */
  readonly candidates: number;
  /** Candidates that are reranked. */
  readonly rerankCandidates: number;
  /** Longest time of a leg. */
  readonly legTimeoutMs: number;
  /** Time for the reranker.0 */
  readonly rerankTimeoutMs: number;
  /** Versions kept for rollback, beside the live one. */
  readonly keptVersions: number;
  /** Threads that read. */
  readonly readerThreads: number;
  /** Memory for copies of live versions, of each embedded store. */
  readonly memoryBytes: number;
  /** Threads that search live versions in memory. */
  readonly searchThreads: number;
  /** What is done with personal data in questions. */
  readonly personalData: PersonalDataPolicies;
}

/** Bounds of the threads that search if none are configured: vectors and words are searched at the same time. */
const searchThreads = { least: 2, most: 16 };

/**
 * Returns the settings from the configuration. Throws ConfigError if the catalog is shared by replicas and a store is not: a replica would
 * not find what another one has written.
 */
export function readConfig(config: Config): RetrievalSettings {
  const retrieval = config.retrieval ?? create(RetrievalConfigSchema);
  const { field } = RetrievalConfigSchema;
  return Object.freeze({
    personalData: readPersonalData(config.personalData),
    vectorStore: storeOf(config, field.vectorStore, retrieval.vectorStore, 'retrieval.vector_store', 'pgvector'),
    keywordStore: storeOf(config, field.keywordStore, retrieval.keywordStore, 'retrieval.keyword_store', 'postgres'),
    vectorWeight: ifSet(retrieval, 'vectorWeight'),
    corpusWeights: new Map(
      Object.entries(retrieval.corpora).flatMap(([name, corpus]) => {
        const vectorWeight = ifSet(corpus, 'vectorWeight');
        return vectorWeight === undefined ? [] : [[name, vectorWeight]];
      }),
    ),
    notReranked: new Set(Object.keys(retrieval.corpora).filter((name) => !retrieval.corpora[name]?.rerank)),
    webSearch: retrieval.webSearch && chosenAdapter(field.webSearch, retrieval.webSearch, 'retrieval.web_search'),
    candidates: retrieval.candidates,
    rerankCandidates: retrieval.rerankCandidates,
    legTimeoutMs: retrieval.legTimeoutMs,
    rerankTimeoutMs: retrieval.rerankTimeoutMs,
    keptVersions: retrieval.keptVersions,
    readerThreads: retrieval.readerThreads,
    memoryBytes: Number(retrieval.memoryBytes),
    searchThreads:
      ifSet(retrieval, 'searchThreads') ??
      Math.min(searchThreads.most, Math.max(searchThreads.least, availableParallelism() - 1)),
  });
}

/** Returns the adapter of a store. `shared`: its default if `storage.database` is set. */
function storeOf(
  config: Config,
  field: DescField,
  given: AdapterConfig | undefined,
  path: string,
  shared: string,
): ChosenAdapter {
  if ((config.storage?.database ?? '') === '') return chosenAdapter(field, given, path);
  if (given === undefined) return Object.freeze({ adapter: shared, settings: undefined, path });
  const chosen = chosenAdapter(field, given, path);
  if (chosen.adapter === defaultAdapterOf(field)) {
    const problem = `"${chosen.adapter}" is for one process, and storage.database is shared by replicas`;
    throw new ConfigError(`${path}.adapter`, `${problem}: use "${shared}", or the store of another server`);
  }
  return chosen;
}
