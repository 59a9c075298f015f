import { expect, test } from 'vitest';
import { tokenizerOf } from './tokenizer.ts';

test.each([
  ['gpt-4o-mini-2024-07-18', 'o200k_base'],
  ['gpt-4.1', 'o200k_base'],
  ['gpt-5.1-codex', 'o200k_base'],
  ['o3-mini', 'o200k_base'],
  ['openai/gpt-oss-120b', 'o200k_base'],
  ['gpt-oss:20b', 'o200k_base'],
  ['GPT-4-turbo', 'cl100k_base'],
  ['gpt-35-turbo', 'cl100k_base'],
  ['gpt-4', 'cl100k_base'],
  ['qwen3-max', ''],
  ['deepseek-chat', ''],
  ['claude-opus-4', ''],
  ['my-gpt-4o-clone', ''],
  ['o2k', ''],
])('the vocabulary of %s is %j', (name, vocabulary) => {
  expect(tokenizerOf(name, { tokenizer: '' })).toBe(vocabulary);
});

test('the configuration knows what a name does not say', () => {
  expect(tokenizerOf('our-deployment', { tokenizer: 'o200k_base' })).toBe('o200k_base');
  expect(tokenizerOf('gpt-4o', { tokenizer: 'estimate' })).toBe('');
});
