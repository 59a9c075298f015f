import type { RerankCandidate, ScoredPassage, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import type { Logger } from '#kit/log.ts';

/** A model that scores candidates for a question: who it is, what it can take, and one verb. */
export interface RerankModel {
  /** Its name. */
  readonly name: string;
  /** Scale of its scores. Scores of different models are never comparable. */
  readonly scale: ScoreScale;
  /** Most candidates in a call. */
  readonly maxCandidates: number;
  /**
   * Scores of 1 to `maxCandidates` candidates, as they become known; each candidate exactly once, in any order. Throws the
   * signal's reason where it aborts first; else a ConnectError.
   */
  rerank(query: string, candidates: readonly RerankCandidate[], signal: AbortSignal): AsyncIterable<RerankBatch>;
  /** Frees everything. */
  close(): Promise<void>;
}

/** Scores of some candidates. */
export interface RerankBatch {
  scores: Pick<ScoredPassage, 'index' | 'score'>[];
  /** Tokens that the provider counted for these; undefined where it counts none. */
  promptTokens?: number;
}

/** What an adapter is given. */
export interface RerankModelDeps {
  log: Logger;
}
