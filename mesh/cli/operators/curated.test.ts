import { expect, test } from 'vitest';
import { readCurated } from './curated.ts';

test('each line is an answer, in the corpus that it names or in the given one', () => {
  const line = { id: 'a', questions: ['Open?'], answer: 'Yes.' };
  const read = readCurated(`${JSON.stringify(line)}\n\n${JSON.stringify({ ...line, corpus: 'own' })}\n`, 'shop');
  expect(read.map(({ id, corpus }) => [id, corpus])).toEqual([
    ['a', 'shop'],
    ['a', 'own'],
  ]);
});

test('a line that is none is named', () => {
  expect(() => readCurated('{"id":"a"}\n{"wrong":1}', 'shop')).toThrow(/line 2/);
  expect(() => readCurated('nonsense', 'shop')).toThrow(/line 1/);
});
