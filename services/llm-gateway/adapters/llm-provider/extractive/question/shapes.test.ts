import { expect, test } from 'vitest';
import { labelsOf } from './labels.ts';
import { toPlain } from './question.ts';
import { shapeOf } from './shapes.ts';

const shows = (question: string, text: string): boolean | undefined => {
  const shape = shapeOf(toPlain(question));
  return shape && (shape.shown.test(toPlain(text)) || (shape.written?.test(text) ?? false));
};

test.each([
  ['How deep is the pond?', 'The pond is 4 metres deep.', 'The pond has six ducks.'],
  ['How many bridges cross the river?', 'Nine stone bridges cross the river.', 'The river is 9 km long.'],
  ['How many people work there?', 'It has 40 members.', 'It opens at 8.'],
  ['When was the mill built?', 'It was built in 1832.', 'It is open from 9 to 17.'],
  ['Who designed the tower?', 'The tower is the work of Ida Lindqvist.', 'The tower is made of brick.'],
  ['When was the bay opened?', 'It was opened in 1968.', 'The bay is open from 15 April to 10 October.'],
  ['What time does it start?', 'It starts at 19:30.', 'It starts on Fridays.'],
  ['How long does a claim take?', 'It takes up to 45 days.', 'It is due on the 5th of each month.'],
  ['审核要多久', '审核需要 3 天', '每月 5 日审核'],
  ['How high is the ceiling?', 'The ceiling is 3 m high.', 'The hall has 60 m².'],
  ['塔有多高', '塔身 52 米', '塔在河边'],
  ['有多少名老师', '现有 12 名老师', '老师都有证书'],
  ['园长是谁', '园长王素梅', '园长办公室在二楼'],
  ['磨坊是哪年建的', '建于 1832 年', '周一休息'],
])('%s asks for a value that %s has', (question, text, other) => {
  expect(shows(question, text)).toBe(true);
  expect(shows(question, other)).toBe(false);
});

test.each([
  'Can I bring my bike?',
  '能带自行车吗',
  'Who pays for the postage?',
  '运费谁出',
  'How far ahead can I book?',
  'How big a deposit do you take?',
])('any answer may do for %s', (question) => {
  expect(shapeOf(toPlain(question))).toBeUndefined();
});

test.each([
  ['What does exit code 9 mean?', 'exit code 3: the disk is full', 'exit code 9: the disk is full'],
  ['五日游多少钱', '三日游 900 元', '五日游 1500 元'],
  ['二号厅在哪', '一号厅在左边', '二号厅在右边'],
])('%s is about nothing in %s', (question, other, text) => {
  const [label] = labelsOf(toPlain(question));
  expect(label?.test(toPlain(other))).toBe(false);
  expect(label?.test(toPlain(text))).toBe(true);
});

test('a number that measures is no name of a thing', () => {
  expect(labelsOf(toPlain('我买 200 元的东西包邮吗，5 天能到吗'))).toEqual([]);
  expect(labelsOf(toPlain('双十一期间退货质检要几天'))).toEqual([]);
});
