import { comparableText, holdsWording } from '../wording.ts';

/**
 * What an answer is worth: all facts and nothing forbidden; some of the facts; none of them, something forbidden, or any answer to a
 * question that has none; or a refusal.
 */
export type Verdict = 'right' | 'partly' | 'wrong' | 'refused';

/** What makes an answer right. */
export interface AnswerKey {
  /** Facts that a right answer states, each in one of its wordings. None: the documents do not answer the question. */
  facts: readonly (readonly string[])[];
  /** Wordings that a right answer does not have. */
  forbidden: readonly string[];
}

/** Judges an answer. `undefined`: it was a refusal, which is right if the documents have no answer. */
export function judgeAnswer({ facts, forbidden }: AnswerKey, answer: string | undefined): Verdict {
  if (facts.length === 0) return answer === undefined ? 'right' : 'wrong';
  if (answer === undefined) return 'refused';
  const text = comparableText(answer);
  const says = (wording: string) => holdsWording(text, comparableText(wording));
  const found = facts.filter((wordings) => wordings.some(says));
  if (forbidden.some(says) || found.length === 0) return 'wrong';
  return found.length === facts.length ? 'right' : 'partly';
}

/** Returns whether a passage has one of the facts. */
export function hasFact(
  { facts }: Pick<AnswerKey, 'facts'>,
  { title, headingPath, text }: { title: string; headingPath: readonly string[]; text: string },
): boolean {
  const passage = comparableText(`${title}\n${headingPath.join('\n')}\n${text}`);
  return facts.some((wordings) => wordings.some((wording) => holdsWording(passage, comparableText(wording))));
}
