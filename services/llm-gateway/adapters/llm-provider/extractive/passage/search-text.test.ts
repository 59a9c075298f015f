import { expect, test } from 'vitest';
import { readQuestions, type Term } from '../question/question.ts';
import { matchTerm, toSearchText } from './search-text.ts';

const termOf = (question: string, text: string) =>
  readQuestions(question)[0]?.terms.find((term) => term.text === text) as Term;

test('one Chinese character is not matched inside of a word for another matter', () => {
  const broken = termOf('台灯坏，怎么办', '坏');
  expect(matchTerm(broken, toSearchText('收到时是坏的'))).toBe(1);
  expect(matchTerm(broken, toSearchText('坏点超过三个'))).toBeLessThan(1);
});
