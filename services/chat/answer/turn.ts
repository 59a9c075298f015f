import type { AnswerOutcome, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';

/** A question and its answer, as later questions use them. */
export interface PastTurn {
  question: string;
  answer: string;
  /** What the answer cites. */
  citations?: readonly Citation[];
  /** Its place among the turns of all sessions; `undefined` if it is not in the store. */
  seq?: number;
  /** How the answer ended; `undefined` if that is not known. */
  outcome?: AnswerOutcome;
}
