import type { AnswerOutcome, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** A question and its answer, as later questions use them. */
export interface PastTurn {
  question: string;
  answer: string;
  /** What the answer cites. */
  citations?: readonly Citation[];
  /** How the answer ended; `undefined` if that is not known. */
  outcome?: AnswerOutcome;
}
