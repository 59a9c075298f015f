import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { threadCpuMs } from '#kit/testing/time.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { blocksOfText } from '../parse/blocks-of-text.ts';
import { chunkText } from './chunk.ts';
import type { ChunkOptions } from './cut.ts';

const options: ChunkOptions = { targetTokens: 40, overlapTokens: 8 };
const chunksOf = (text: string, title = '', settings = options) =>
  chunkText(text, blocksOfText(text), title, settings).map((chunk) => ({
    ...chunk,
    text: text.slice(chunk.start, chunk.end),
  }));

const words = fc.constantFrom(
  'return',
  'the lamp.',
  'within 15 days!',
  'e.g. PPR-9087',
  '退货期限是十五天。',
  '发票',
  '👩‍👩‍👧‍👦🪔',
  'é́',
  '：',
  'Orders placed',
);
const lines = fc.oneof(
  { weight: 6, arbitrary: fc.array(words, { minLength: 1, maxLength: 30 }).map((parts) => parts.join(' ')) },
  { weight: 2, arbitrary: fc.array(words, { minLength: 1, maxLength: 60 }).map((parts) => parts.join('')) },
  fc.constantFrom('', '# A', '## B', '### C', '- item', '| a: 1 | b: 2 |', '```', '一、总则'),
  fc.nat(900).map((length) => '长'.repeat(length)),
  fc.nat(300).map((length) => '🪔'.repeat(length)),
);
const texts = fc.array(lines, { maxLength: 25 }).map((parts) => parts.join('\n'));

describe('chunks', () => {
  test('hold every visible character in order, split no character, and respect the length', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const chunks = chunksOf(text);
        let last = -1;
        const isCovered = new Uint8Array(text.length);
        for (const { start, end, text: piece } of chunks) {
          expect(start).toBeGreaterThan(last);
          expect(end).toBeGreaterThan(start);
          expect(piece).toBe(piece.trim());
          expect(piece.isWellFormed()).toBe(true);
          expect(estimateTokens(piece)).toBeLessThanOrEqual(options.targetTokens * 1.5 + options.overlapTokens);
          isCovered.fill(1, start, end);
          last = start;
        }
        for (let index = 0; index < text.length; index++) {
          if (!isCovered[index]) expect(text[index]?.trim()).toBe('');
        }
      }),
      { numRuns: 300 },
    );
  });

  test('overlap only if a section was cut, and at most by the configured length', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const chunks = chunksOf(text);
        for (const [index, { start, headingPath }] of chunks.entries()) {
          const before = chunks[index - 1];
          if (before === undefined || start >= before.end) continue;
          expect(headingPath).toEqual(before.headingPath);
          expect(estimateTokens(text.slice(start, before.end))).toBeLessThanOrEqual(options.overlapTokens + 4);
        }
        const bare = chunksOf(text, '', { ...options, overlapTokens: 0 });
        for (const [index, { start }] of bare.entries())
          expect(start).toBeGreaterThanOrEqual(bare[index - 1]?.end ?? 0);
      }),
      { numRuns: 200 },
    );
  });
});

describe('structure', () => {
  const body = (count: number, word = 'word') => Array.from({ length: count }, () => word).join(' ');

  test('a section with its heading is one chunk, and its path leaves out the title', () => {
    const text = `# Shop\n\n## Returns\n\n${body(20)}.\n\n### Abroad\n\n${body(20)}.`;
    const chunks = chunksOf(text, 'Shop');
    expect(chunks.map(({ headingPath }) => headingPath)).toEqual([['Returns'], ['Returns', 'Abroad']]);
    expect(chunks[0]?.text.startsWith('# Shop\n\n## Returns')).toBe(true);
  });

  test('small sections under one parent share a chunk; those under different parents do not', () => {
    const text = `# A\n\n## One\n\nx.\n\n## Two\n\ny.\n\n# B\n\n${body(25)}.`;
    const chunks = chunksOf(text);
    expect(chunks.map(({ headingPath }) => headingPath)).toEqual([['A'], ['B']]);
    expect(chunks[0]?.text).toContain('## Two');
  });

  test('a long section is cut between its blocks into parts of similar length, and a lead-in stays with its list', () => {
    const list = Array.from({ length: 8 }, (_, index) => `- entry ${index} ${body(8)}`).join('\n');
    const text = `## Steps\n\n${body(20)}.\n\nYou need:\n${list}`;
    const chunks = chunksOf(text, '', { targetTokens: 50, overlapTokens: 0 });
    expect(chunks.length).toBeGreaterThan(1);
    for (const { text: piece } of chunks) expect(piece).not.toMatch(/You need:$/);
    const lengths = chunks.map(({ text: piece }) => estimateTokens(piece));
    expect(Math.min(...lengths) * 3).toBeGreaterThan(Math.max(...lengths));
  });

  test('rows of a table are never cut and never repeated', () => {
    const rows = Array.from({ length: 20 }, (_, index) => `| zone: ${index} | price: ${body(5)} |`);
    const chunks = chunksOf(rows.join('\n'));
    expect(chunks.flatMap(({ text: piece }) => piece.split('\n'))).toEqual(rows);
  });

  test('Chinese is cut between sentences, and the next chunk repeats the last sentence', () => {
    const sentence = (index: number) => `第${index}条规定退货期限。`;
    const text = Array.from({ length: 12 }, (_, index) => sentence(index)).join('');
    const chunks = chunksOf(text, '', { targetTokens: 40, overlapTokens: 12 });
    expect(chunks.length).toBeGreaterThan(2);
    for (const [index, { text: piece, language }] of chunks.entries()) {
      expect(piece).toMatch(/^第\d+条.*。$/u);
      expect(language).toBe('zh');
      const before = chunks[index - 1];
      if (before) expect(before.text.endsWith(piece.slice(0, sentence(0).length))).toBe(true);
    }
  });

  test('a megabyte without a break is cut within a CPU limit', () => {
    const startedAt = threadCpuMs();
    expect(chunksOf('x'.repeat(1 << 20)).length).toBeGreaterThan(1000);
    expect(chunksOf('字'.repeat(1 << 19)).length).toBeGreaterThan(1000);
    expect(chunksOf(`# ${' '.repeat(1 << 19)}x`).length).toBe(1);
    expect(threadCpuMs() - startedAt).toBeLessThan(10_000);
  });
});
