import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Passage, PassageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { evidenceTokens } from './budget.ts';
import { compressPassages } from './compress.ts';
import { fitEvidence } from './prompt.ts';

const passage = (text: string): Passage => create(PassageSchema, { text });
const noHead = () => 0;
const filler = 'Our shop was founded long ago and has many friendly people. '.repeat(12);

test('sentences that answer the question are kept of every passage, and the rest gives way', () => {
  const passages = [
    passage(`${filler}Lamps can be returned within 15 days. ${filler}`),
    passage(`${filler}A returned lamp must have every part. ${filler}`),
    passage(`${filler}退货的台灯要配件齐全。${filler}`),
  ];
  const shortened = compressPassages(passages, 'How can I return a lamp? 台灯怎么退货？', 90, noHead);
  const texts = shortened.map(({ text }) => text);
  expect(texts).toHaveLength(3);
  expect(texts[0]).toContain('Lamps can be returned within 15 days.');
  expect(texts[0]).toContain(' … ');
  expect(texts[0]?.length).toBeLessThan(passages[0]?.text.length ?? 0);
  expect(texts[1]).toContain('A returned lamp must have every part.');
  expect(texts[2]).toContain('退货的台灯要配件齐全。');
  // What was given is not changed.
  expect(passages[0]?.text).toContain(filler);
});

test('an item keeps the lead that gives it its meaning', () => {
  const text = `${filler}\n\n## Not covered:\n- damage by water\n- damage by a fall\n\n${filler}`;
  const [shortened] = compressPassages([passage(text)], 'Is a fall covered?', 40, noHead);
  expect(shortened?.text).toMatch(/Not covered[\s\S]*damage by a fall/);
});

test('passages are left out only if no sentence fits', () => {
  const passages = ['one', 'two', 'three', 'four'].map((name) =>
    passage(`${filler}Lamp ${name} is returned here. ${filler}`),
  );
  const { passages: chosen, tokens, shortenedCount } = fitEvidence(passages, 'Where is a lamp returned?', 300);
  expect(chosen).toHaveLength(4);
  expect(shortenedCount).toBeGreaterThan(0);
  expect(tokens).toBeLessThanOrEqual(300);
  expect(fitEvidence(passages, 'Where is a lamp returned?', 100_000)).toMatchObject({ passages, shortenedCount: 0 });
});

test('whatever the passages are, the budget holds and every kept sentence is one of them', () => {
  const sentence = fc.constantFrom(
    '退货免费。',
    'Lamps are returned. ',
    '# Head\n',
    '- item\n',
    'a: \n',
    '| x | y |\n',
    '\n\n',
    '😀 fine. ',
  );
  fc.assert(
    fc.property(
      fc.array(fc.array(sentence, { maxLength: 12 }), { minLength: 1, maxLength: 5 }),
      fc.nat(80),
      (parts, budget) => {
        const passages = parts.map((each) => passage(each.join('')));
        const shortened = compressPassages(passages, 'lamp 退货', budget, noHead);
        expect(shortened.reduce((sum, { text }) => sum + estimateTokens(text), 0)).toBeLessThanOrEqual(
          budget + shortened.length * 3,
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('evidence has what the other parts leave, and never less than its floor', () => {
  expect(evidenceTokens(6000, { system: 200, history: 1000, summary: 300, tools: 0 })).toBe(4500);
  expect(evidenceTokens(6000, { system: 9000, history: 1000, summary: 300, tools: 1500 })).toBe(2400);
  expect(evidenceTokens(1, { system: 50, history: 0, summary: 0, tools: 0 })).toBe(1);
});
