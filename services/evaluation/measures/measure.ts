import type { CallOptions } from '@connectrpc/connect';
import type { Degradation } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { JudgedQuery } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';

/** A way to search and to answer. */
export interface Way {
  template: RetrieveRequest;
  /** Alias of the model that answers; empty: the default one. */
  model: string;
}

/** What a question has resulted in. */
export interface Outcome {
  /** Its value in each figure of the suite, 0 to 1, in their order. */
  scores: readonly number[];
  /** Stages that failed or were late: the result is that of the others. */
  degradations: readonly Degradation[];
}

/** How a suite asks and scores. */
export interface Measure {
  /** Longest time for one call, in milliseconds. */
  readonly timeoutMs: number;
  /** Returns whether a question has a judgement of the suite. */
  isJudged(query: JudgedQuery): boolean;
  /** Asks a question, and scores what comes back. Throws what the service throws. */
  ask(query: JudgedQuery, way: Way, options: CallOptions): Promise<Outcome>;
}

/** An outcome of a service that has no stages. */
export const outcomeOf = (...scores: number[]): Outcome => ({ scores, degradations: [] });
