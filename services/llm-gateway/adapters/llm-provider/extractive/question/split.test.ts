import { expect, test } from 'vitest';
import { splitMessage } from './split.ts';

const focusOf = (message: string) => splitMessage(message).map(({ focus }) => focus.replace(/\s+/g, ' ').trim());

test.each([
  ['Hello there! Quick question: is breakfast included? Thank you so much in advance!', ['is breakfast included?']],
  ['您好，请问一下，早餐含在房费里吗？非常感谢！', ['早餐含在房费里吗？']],
  ['We booked two rooms in May and look forward to it. Can we bring our dog?', ['Can we bring our dog?']],
  ['我们上周订了两间房，孩子才三岁，能加一张小床吗', ['能加一张小床吗']],
  ['How long is the visa valid and what does it cost?', ['How long is the visa valid', 'what does it cost?']],
  ['早餐几点开始？可以送到房间吗？', ['早餐几点开始？', '可以送到房间吗？']],
  ['breakfast times', ['breakfast times']],
])('%j asks %j', (message, asked) => {
  expect(focusOf(message)).toEqual(asked);
});

test('what is said beside a question is its background', () => {
  const [part] = splitMessage('我买的帐篷漏水了，可以退全部的租金吗');
  expect(part).toMatchObject({ focus: '可以退全部的租金吗' });
  expect(part?.background).toContain('帐篷');
});

test.each(['帐篷漏水了，可以退钱吗', '别的店更便宜，能补差价吗', '帐篷摔过一次，还保修不'])(
  'a clause of few words belongs to its condition: %s',
  (message) => {
    expect(splitMessage(message)).toMatchObject([{ focus: message, background: '' }]);
  },
);

test('things between which a difference is asked for are named without the words before them', () => {
  const names = splitMessage('What is the difference between the steel and the cotton tent?').map(({ name }) => name);
  expect(names).toEqual(['the steel', 'the cotton tent']);
});

test('two things that are compared are two questions, each named by its thing', () => {
  const parts = splitMessage('Which is heavier, the steel tent or the cotton tent?');
  expect(parts.map(({ name }) => name)).toEqual(['the steel tent', 'the cotton tent']);
  expect(parts[0]?.focus).not.toContain('cotton');
  expect(parts[1]?.focus).not.toContain('steel');
});

test('a message has at most four questions, and one of any text has at least one', () => {
  expect(splitMessage('Is it wet? '.repeat(30)).length).toBeLessThanOrEqual(8);
  for (const text of ['', '？', 'hi', '谢谢']) expect(splitMessage(text).length).toBe(1);
});
