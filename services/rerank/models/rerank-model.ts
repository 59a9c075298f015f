import type { CallOptions, Client } from '@connectrpc/connect';
import type { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { LLMGatewayService } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { RerankCandidate, ScoredPassage, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import type { Logger } from '#kit/base/log.ts';

/** A model that scores candidates for a question: its identity, its limits, and one verb. */
export interface RerankModel {
  /** Its name. */
  readonly name: string;
  /** Scale of its scores. Scores of different models are never comparable. */
  readonly scale: ScoreScale;
  /** Largest count of candidates in a call. */
  readonly maxCandidates: number;
  /**
   * Yields the scores of 1 to `maxCandidates` candidates, as they become known; each candidate exactly once, in any order, all of them
   * comparable. `forward` returns the options of a call to another service on behalf of the caller. Throws the signal's reason
   * if it aborts first, and otherwise a ConnectError.
   */
  rerank(
    query: string,
    candidates: readonly RerankCandidate[],
    signal: AbortSignal,
    forward: () => CallOptions,
  ): AsyncIterable<RerankBatch>;
  /** Releases everything. */
  close(): Promise<void>;
}

/** Scores of some candidates. */
export interface RerankBatch {
  scores: (Pick<ScoredPassage, 'index' | 'score'> & Partial<Pick<ScoredPassage, 'signs'>>)[];
  /** Tokens that the provider counted for these; `undefined` if it counts none. */
  usage?: RerankUsage;
}

/** Tokens of a batch. */
export interface RerankUsage {
  promptTokens: number;
  completionTokens: number;
  provenance: UsageProvenance;
}

/** What an adapter receives. */
export interface RerankModelDeps {
  log: Logger;
  /** Its path in the configuration, for errors: "rerank.models[0]". */
  path: string;
  /** Every request to a provider goes through it. */
  fetch: typeof globalThis.fetch;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** Returns a client of the LLM gateway. Throws ConfigError if this process cannot reach one. */
  llm: () => Pick<Client<typeof LLMGatewayService>, 'generate'>;
}
