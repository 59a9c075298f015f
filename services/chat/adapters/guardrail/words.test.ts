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
  ['characters of patterns', ['a+b (c)', '$5'], 'a+b (c) for $5', ['a+b (c)', '$5']],
  ['the longer word', ['net', 'network'], 'network', ['network']],
])('finds %s', async (_, words, text, expected) => {
  expect((await rulesOf(words, text)).sort()).toEqual([...expected].sort());
});

test('a topic needs as many different words as it says', async () => {
  const topic = { topic: 'medicine', least: 2 };
  expect(await rulesOf(['dose', 'pill'], 'dose, dose', topic)).toEqual([]);
  expect(await rulesOf(['dose', 'pill'], 'a pill a dose', topic)).toEqual(['medicine']);
});
