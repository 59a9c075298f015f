import { expect, test } from 'vitest';
import { thinkingOf } from './model.ts';

// Names: Model of @anthropic-ai/sdk 1.12, earlier ones and those of Amazon Bedrock and Google Cloud.
test.each([
  ['claude-3-5-haiku-latest', 'none'],
  ['claude-3-opus-20240229', 'none'],
  ['claude-3-7-sonnet-20250219', 'budget'],
  ['claude-sonnet-4-20250514', 'budget'],
  ['claude-opus-4-1-20250805', 'budget'],
  ['claude-sonnet-4-5', 'budget'],
  ['claude-haiku-4-5@20251001', 'budget'],
  ['anthropic.claude-haiku-4-5-20251001-v1:0', 'budget'],
  ['claude-opus-4-5', 'budget'],
  ['claude-opus-4-6', 'adaptive'],
  ['claude-sonnet-4-6', 'adaptive'],
  ['claude-opus-4-8', 'adaptive'],
  ['claude-sonnet-5', 'adaptive'],
  ['claude-opus-5', 'adaptive'],
  ['claude-haiku-5-5', 'adaptive'],
  ['claude-sonnet-5-5', 'between-tools'],
  ['claude-opus-5-5', 'always'],
  ['claude-fable-5-1', 'always'],
  ['claude-mythos-preview', 'always'],
  ['qwen3-max', 'adaptive'],
])('%s thinks %s', (model, thinking) => {
  expect(thinkingOf(model)).toBe(thinking);
});
