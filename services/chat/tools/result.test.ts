import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Language } from '#gen/ragmesh/common/v1/common_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { ConfiguredTool } from './configured.ts';
import { toReply, toResultText } from './result.ts';

test('a result has one value in a line, and leaves out what is empty', () => {
  const result = { order: { id: 'A-1', note: '' }, items: [{ name: 'lamp', count: 2 }, null], paid: false };
  expect(toResultText(result, 500).text.split('\n')).toEqual([
    'order.id: A-1',
    'items.0.name: lamp',
    'items.0.count: 2',
    'paid: false',
  ]);
  expect(toResultText('plain\ntext', 500).text).toBe('plain\ntext');
  expect(toResultText(17, 500).text).toBe('17');
});

test('a result of any shape stays within its tokens, but for the sign that it was cut', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.integer({ min: 16, max: 200 }), (value, budget) => {
      const { text, tokens } = toResultText(value as never, budget);
      expect(tokens).toBeLessThanOrEqual(budget);
      expect(estimateTokens(text)).toBeLessThanOrEqual(budget + 2);
    }),
    { numRuns: 100 },
  );
});

test('a reply is that of the language, else the one for all; what the result lacks is a dash', () => {
  const tool = {
    replies: [
      { language: Language.ZH, text: '状态：{status}' },
      { language: Language.UNSPECIFIED, text: '{status} by {carrier.name}, {constructor}, {items}' },
    ],
  } as unknown as ConfiguredTool;
  const result = { status: 'sent', carrier: { name: 'SF' }, items: [1] };
  expect(toReply(tool, Language.ZH, result, 'text')).toBe('状态：sent');
  expect(toReply(tool, Language.EN, result, 'text')).toBe('sent by SF, —, —');
  expect(toReply({ ...tool, replies: [] }, Language.EN, result, 'text')).toBe('text');
});
