import { expect, test } from 'vitest';
import { cellsAt, linesAt, readPages } from '../../../../testing/pdf/read-made-pdf.ts';

const rowsOf = (blocks: readonly [string, string][]) =>
  blocks.flatMap(([kind, text]) => (kind === 'table-row' ? [text] : []));

test('lines between cells make a table, in which a cell without a line to the next one covers both', async () => {
  const lines = [100, 120, 140, 160].map((y): [number, number, number, number] => [60, y, 360, y]);
  const verticals = [60, 360].map((x): [number, number, number, number] => [x, 100, x, 160]);
  // The last row has one cell over two columns.
  const inner: [number, number, number, number][] = [
    [160, 100, 160, 140],
    [260, 100, 260, 160],
  ];
  const { blocks } = await readPages({
    texts: cellsAt([65, 165, 265], 114, [
      ['Region', 'First kg', 'Days'],
      ['Islands', '$9.75', '4-6'],
      ['Bulky goods, any region', '', '7-15'],
    ]),
    lines: [...lines, ...verticals, ...inner],
  });
  expect(rowsOf(blocks)).toEqual([
    '| Region: Islands | First kg: $9.75 | Days: 4-6 |',
    '| Region: Bulky goods, any region | Days: 7-15 |',
  ]);
});

test('columns that leave the same strips free make a table, in which a cell can have several lines', async () => {
  const xs = [60, 220, 300, 380];
  const { blocks } = await readPages({
    texts: [
      ...linesAt(60, 80, ['The fees of the year, as they are paid by customers of the shop in all regions.']),
      ...cellsAt(xs, 120, [
        ['Kind of delay', 'Fee', 'Limit', 'Days'],
        ['Late dispatch', '5', '30', '2'],
      ]),
      ...cellsAt(xs, 160, [['Wrong or missing goods', '10', '100', '3']]),
      { text: 'in the parcel', x: 60, y: 172 },
      ...cellsAt(xs, 192, [['Counterfeit goods', '900', '950', '4']]),
    ],
  });
  expect(rowsOf(blocks)).toEqual([
    '| Kind of delay: Late dispatch | Fee: 5 | Limit: 30 | Days: 2 |',
    '| Kind of delay: Wrong or missing goods in the parcel | Fee: 10 | Limit: 100 | Days: 3 |',
    '| Kind of delay: Counterfeit goods | Fee: 900 | Limit: 950 | Days: 4 |',
  ]);
});

test('a frame whose columns have no lines between rows is divided if numbers are one below the other', async () => {
  const { blocks } = await readPages({
    texts: cellsAt(
      [65, 205, 305],
      114,
      [
        ['Zone', 'First', 'Next'],
        ['North', '10', '4'],
        ['South', '15', '8'],
      ],
      14,
    ),
    lines: [
      ...[100, 118, 150].map((y): [number, number, number, number] => [60, y, 400, y]),
      ...[60, 200, 300, 400].map((x): [number, number, number, number] => [x, 100, x, 150]),
    ],
  });
  expect(rowsOf(blocks)).toEqual(['| Zone: North | First: 10 | Next: 4 |', '| Zone: South | First: 15 | Next: 8 |']);
});

test('a table that continues on the next page is one, and its header is not repeated', async () => {
  const rows = (from: number) =>
    cellsAt([60, 200, 300], from === 1 ? 700 : 80, [
      ['Code', 'Stock', 'Cost'],
      ...[0, 1, 2].map((index) => [`SKU-${from + index}`, `${7 * (from + index)}`, `${from + index}.50`]),
    ]);
  const { blocks, document } = await readPages({ texts: rows(1) }, { texts: rows(4) });
  expect(rowsOf(blocks)).toEqual(
    [1, 2, 3, 4, 5, 6].map((index) => `| Code: SKU-${index} | Stock: ${7 * index} | Cost: ${index}.50 |`),
  );
  expect(document.blocks.map(({ regions }) => regions?.[0]?.page)).toEqual([1, 1, 1, 2, 2, 2]);
  // Each row has its own place.
  expect(document.blocks.map(({ regions }) => Math.round(regions?.[0]?.bottom ?? 0))).toEqual([
    722, 742, 762, 102, 122, 142,
  ]);
});

test('a box around text is no table', async () => {
  const { blocks } = await readPages({
    texts: linesAt(70, 120, ['A note in a box, which a reader', 'sees as text.']),
    lines: [
      [60, 100, 300, 100],
      [60, 160, 300, 160],
      [60, 100, 60, 160],
      [300, 100, 300, 160],
    ],
  });
  expect(blocks).toEqual([['paragraph', 'A note in a box, which a reader sees as text.']]);
});
