import type { Passage, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { comparableText, holdsWording } from '#kit/text/wording.ts';
import type { JudgedQuestion } from './questions.ts';

/**
 * What an answer is worth: all facts and nothing forbidden; some of the facts; none of them, something forbidden, or any answer to a
 * question that has none; or a refusal.
 */
export type Verdict = 'right' | 'partly' | 'wrong' | 'refused';

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

/** Judges an answer. `undefined`: it was a refusal, which is right if the documents have no answer. */
export function judgeAnswer({ facts, forbidden }: JudgedQuestion, answer: string | undefined): Verdict {
  if (facts.length === 0) return answer === undefined ? 'right' : 'wrong';
  if (answer === undefined) return 'refused';
  const text = comparableText(answer);
  const says = (wording: string) => holdsWording(text, comparableText(wording));
  const found = facts.filter((wordings) => wordings.some(says));
  if (forbidden.some(says) || found.length === 0) return 'wrong';
  return found.length === facts.length ? 'right' : 'partly';
}
