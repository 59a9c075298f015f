import { create } from '@bufbuild/protobuf';
import { type Config, RetrievalConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter, ifSet } from '#kit/host/config/settings.ts';

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
}

/** Returns the settings from the configuration. */
export function readConfig(config: Config): RetrievalSettings {
  const retrieval = config.retrieval ?? create(RetrievalConfigSchema);
  const { field } = RetrievalConfigSchema;
  return Object.freeze({
    vectorStore: chosenAdapter(field.vectorStore, retrieval.vectorStore, 'retrieval.vector_store'),
    keywordStore: chosenAdapter(field.keywordStore, retrieval.keywordStore, 'retrieval.keyword_store'),
    vectorWeight: ifSet(retrieval, 'vectorWeight'),
    corpusWeights: new Map(
      Object.entries(retrieval.corpora).flatMap(([name, corpus]) => {
        const vectorWeight = ifSet(corpus, 'vectorWeight');
        return vectorWeight === undefined ? [] : [[name, vectorWeight]];
      }),
    ),
    webSearch: retrieval.webSearch && chosenAdapter(field.webSearch, retrieval.webSearch, 'retrieval.web_search'),
    candidates: retrieval.candidates,
    rerankCandidates: retrieval.rerankCandidates,
    legTimeoutMs: retrieval.legTimeoutMs,
    rerankTimeoutMs: retrieval.rerankTimeoutMs,
    keptVersions: retrieval.keptVersions,
    readerThreads: retrieval.readerThreads,
    memoryBytes: Number(retrieval.memoryBytes),
  });
}
