import { expect, test } from 'vitest';
import { adapter } from './words.ts';

const rulesOf = async (words: string[], text: string, more: { topic?: string; least?: number } = {}) => {
  const guardrail = await adapter.create({ words, topic: '', least: 1, ...more }, undefined as never);
  const [findings = []] = await guardrail.check([text], new AbortController().signal);
  return findings.map(({ rule }) => rule);
};

test.each([
  ['a whole word', ['ass'], 'pass the assembly', []],
  ['any case and width', ['Globex'], 'what of ＧＬＯＢＥＸ?', ['Globex']],
  ['with invisible characters', ['globex'], 'glo\u200Bbex', ['globex']],
  ['Chinese without spaces', ['环球'], '请问环球公司', ['环球']],
  ['letters beside Chinese', ['iPhone'], '买iPhone吗', ['iPhone']],
  ['a phrase over lines', ['free  money'], 'Free\nmoney!', ['free  money']],
  ['characters of patterns', ['a+b (c)', '$5', 'a-b'], 'a+b (c) for $5, a-b', ['a+b (c)', '$5', 'a-b']],
  ['the longer word', ['net', 'network'], 'network', ['network']],
])('finds %s', async (_, words, text, expected) => {
  expect((await rulesOf(words, text)).sort()).toEqual([...expected].sort());
});

test('a topic needs as many different words as it says', async () => {
  const topic = { topic: 'medicine', least: 2 };
  expect(await rulesOf(['dose', 'pill'], 'dose, dose', topic)).toEqual([]);
  expect(await rulesOf(['dose', 'pill'], 'a pill a dose', topic)).toEqual(['medicine']);
});

test('a list may have as many words as its settings allow', async () => {
  const words = Array.from({ length: 10_000 }, (_, index) => (index % 2 === 0 ? `rival-${index}` : `对手${index}号`));
  expect(await rulesOf(words, 'About rival-9998 and rival-99980.')).toEqual(['rival-9998']);
  expect(await rulesOf(words, '请问对手9999号和对手99990号')).toEqual(['对手9999号']);
});
