import { expect, test } from 'vitest';
import { linesAt, readPages } from '../../../../testing/pdf/read-made-pdf.ts';

const prose = ['The agent answers within thirty minutes and writes', 'the number of the ticket into the reply.'];

test('headings are larger, bolder or numbered; their levels follow from size and number', async () => {
  const { blocks, document } = await readPages(
    {
      texts: [
        { text: 'Returns Handbook', x: 60, y: 80, size: 22 },
        { text: 'Chapter 1 Intake', x: 60, y: 120, size: 14 },
        ...linesAt(60, 150, prose),
        { text: 'What to check', x: 60, y: 200, isBold: true },
        ...linesAt(60, 220, prose),
        { text: '1.1 Exceptions', x: 60, y: 270, size: 14 },
        ...linesAt(60, 300, prose),
      ],
    },
    {
      texts: [
        { text: '第二章 检验', x: 60, y: 80, size: 14 },
        ...linesAt(60, 110, ['检验员在二十四小时内完成拍照与称重。']),
      ],
    },
  );
  expect(blocks.filter(([kind]) => kind === 'heading').map(([, text]) => text)).toEqual([
    '# Returns Handbook',
    '## Chapter 1 Intake',
    '### What to check',
    '### 1.1 Exceptions',
    '## 第二章 检验',
  ]);
  expect(document.title).toBe('Returns Handbook');
  expect(document.blocks.at(-1)?.regions?.[0]).toMatchObject({ page: 2 });
});

test('lines become paragraphs and items of lists; a word that a line divides is one', async () => {
  const { blocks } = await readPages({
    texts: [
      ...linesAt(60, 80, ['A sentence that continues in the next line of the para-', 'graph, and its end.']),
      ...linesAt(60, 130, ['Another one begins after a gap between the lines.']),
      ...linesAt(72, 160, ['1. Scan the code of the parcel', '2. Print the label', '• Put it on']),
    ],
  });
  expect(blocks).toEqual([
    ['paragraph', 'A sentence that continues in the next line of the paragraph, and its end.'],
    ['paragraph', 'Another one begins after a gap between the lines.'],
    ['list-item', '1. Scan the code of the parcel'],
    ['list-item', '2. Print the label'],
    ['list-item', '- Put it on'],
  ]);
});

test('a sentence that continues on the next page is one paragraph with two places', async () => {
  const { blocks, document } = await readPages(
    { texts: linesAt(60, 780, ['A sentence that goes on over the end of its page and']) },
    { texts: linesAt(60, 60, ['is complete on the next one, as it should be.']) },
  );
  expect(blocks).toEqual([
    ['paragraph', 'A sentence that goes on over the end of its page and is complete on the next one, as it should be.'],
  ]);
  expect(document.blocks[0]?.regions?.map(({ page }) => page)).toEqual([1, 2]);
});

test('heads and feet that repeat are left out, with the numbers of pages; what occurs once at an edge stays', async () => {
  const page = (number: number, words: string) => ({
    texts: [
      { text: 'Internal use only', x: 60, y: 30, size: 8 },
      ...linesAt(60, 200, [words]),
      { text: `Page ${number} of 3`, x: 280, y: 820, size: 8 },
    ],
  });
  const first = page(1, 'The first page has its words.');
  first.texts.push({ text: 'Hotline 400-820-6179', x: 400, y: 45, size: 8 });
  const { texts } = await readPages(first, page(2, 'The second page has others.'), page(3, 'The third page ends.'));
  expect(texts.join('\n')).toBe(
    'Hotline 400-820-6179\nThe first page has its words.\nThe second page has others.\nThe third page ends.',
  );
});

test('lines that differ in an amount are no heads', async () => {
  const page = (amount: number) => ({
    texts: [...linesAt(60, 200, [`Invoice of customer ${amount}.`]), { text: `Total ${amount}`, x: 400, y: 800 }],
  });
  const { document } = await readPages(page(310), page(475), page(120));
  expect(document.text).toContain('Total 310');
  expect(document.text).toContain('Total 120');
});
