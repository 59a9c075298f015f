import type { Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { Verdict } from '#kit/text/facts/judge-answer.ts';
import type { JudgedQuestion } from './questions.ts';

/** An answer with its verdict. */
export interface JudgedAnswer {
  set: string;
  question: JudgedQuestion;
  verdict: Verdict;
  text: string;
  /** The evidence that the model had. */
  passages: readonly Passage[];
  /** Places of the cited passages in the evidence, from 0. */
  cited: readonly number[];
  /** Whether every sentence was compared with the passages that it cites, and all passed. */
  isVerified: boolean;
  /** Duration of each stage that ended. */
  stages: readonly { stage: Stage; latencyMs: number }[];
  latencyMs: number;
  /** Whether a stage was skipped or late, so that the answer is not that of the whole service. */
  isDegraded: boolean;
  /** Why the question failed; `undefined`: it did not. */
  failure: string | undefined;
}
