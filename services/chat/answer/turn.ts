/** A question and its answer, as later questions use them. */
export interface PastTurn {
  question: string;
  answer: string;
}
