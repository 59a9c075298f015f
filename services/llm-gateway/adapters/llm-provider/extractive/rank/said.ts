import { conceptsOf } from '#kit/text/concepts/concepts.ts';
import type { Question } from '../question/question.ts';

/** Returns the share of a short text (a heading, a row's first cell) that the question says. */
export function saidShare({ plain, concepts }: Question, text: string): number {
  const named = conceptsOf(text);
  const words = text.match(/\p{sc=Han}{2}|[a-z\d-]{3,}/gu) ?? [];
  if (words.length === 0) return 0;
  const said = words.filter((word) => {
    const stem = word.length > 5 && !/\p{sc=Han}/u.test(word) ? word.slice(0, -2) : word;
    if (plain.includes(stem)) return true;
    return named.some(
      ({ concept, word: name }) => concepts.has(concept) && (name.includes(word) || word.startsWith(name.slice(0, 4))),
    );
  });
  return said.length / words.length;
}
