import type { JsonObject } from '@bufbuild/protobuf';
import type { AdapterConfig, Config } from '#gen/ragmesh/config/v1/config_pb.ts';

/** An adapter to load. */
export interface StoreSettings {
  readonly adapter: string;
  readonly settings: JsonObject | undefined;
}

/** Settings of the retrieval service. */
export interface RetrievalSettings {
  /** Where vectors are kept. @default the adapter `sqlite` */
  readonly vectorStore: StoreSettings;
  /** Where words are kept. @default the adapter `sqlite` */
  readonly keywordStore: StoreSettings;
  /** Weight of the vector leg in the fused score, 0 to 1; the keyword leg has the rest. @default by the embedding model */
  readonly vectorWeight: number | undefined;
  /** Weights of the vector leg by corpus. */
  readonly corpusWeights: ReadonlyMap<string, number>;
  /** The web search; `undefined`: none. */
  readonly webSearch: StoreSettings | undefined;
  /** Candidates that each leg gives. @default 50 */
  readonly candidates: number;
  /** Candidates that are reranked. @default 30 */
  readonly rerankCandidates: number;
  /** Time for a leg. @default 1500 */
  readonly legTimeoutMs: number;
  /** Time for the reranker. @default 300 */
  readonly rerankTimeoutMs: number;
  /** Versions kept for rollback, beside the live one. @default 2 */
  readonly keptVersions: number;
  /** Threads that read. @default 2 */
  readonly readerThreads: number;
  /** Memory for copies of live versions, of each embedded store. @default 512 MiB */
  readonly memoryBytes: number;
}

/** The settings from the configuration, with defaults. Ranges are the contract's. */
export function readConfig(config: Config): RetrievalSettings {
  const retrieval = config.retrieval;
  return Object.freeze({
    vectorStore: storeOf(retrieval?.vectorStore),
    keywordStore: storeOf(retrieval?.keywordStore),
    vectorWeight: retrieval?.vectorWeight,
    corpusWeights: new Map(
      Object.entries(retrieval?.corpora ?? {}).flatMap(([name, { vectorWeight }]) =>
        vectorWeight === undefined ? [] : [[name, vectorWeight]],
      ),
    ),
    webSearch: retrieval?.webSearch === undefined ? undefined : storeOf(retrieval.webSearch),
    candidates: retrieval?.candidates || 50,
    rerankCandidates: retrieval?.rerankCandidates || 30,
    legTimeoutMs: retrieval?.legTimeoutMs || 1500,
    rerankTimeoutMs: retrieval?.rerankTimeoutMs || 300,
    keptVersions: retrieval?.keptVersions ?? 2,
    readerThreads: retrieval?.readerThreads || 2,
    memoryBytes: Number(retrieval?.memoryBytes ?? 512n * 1024n * 1024n),
  });
}

function storeOf(given: AdapterConfig | undefined): StoreSettings {
  return Object.freeze({ adapter: given?.adapter || 'sqlite', settings: given?.settings });
}
