import { expect, test } from 'vitest';
import type { Block, PageRegion } from '../parse/blocks.ts';
import { chunkText } from './chunk.ts';
import { createRegionFinder } from './regions.ts';

const region = (page: number, left: number, top: number): PageRegion => ({
  ...{ page, left, top, right: left + 100, bottom: top + 20 },
});
const block = (start: number, ...regions: PageRegion[]): Block => ({
  kind: 'paragraph',
  start,
  end: start + 9,
  regions,
});

test('regions of one column are joined; another column or page has its own', () => {
  const regionsOf = createRegionFinder([
    block(0, region(1, 50, 100)),
    block(10, region(1, 60, 130)),
    block(20, region(1, 300, 100), region(2, 50, 80)),
  ]);
  expect(regionsOf(0, 19).regions).toEqual([{ page: 1, left: 50, top: 100, right: 160, bottom: 150 }]);
  expect(regionsOf(10, 29).regions).toEqual([region(1, 60, 130), region(1, 300, 100), region(2, 50, 80)]);
});

test('a document without pages has no regions, and one with many keeps a bounded number', () => {
  expect(createRegionFinder([{ kind: 'paragraph', start: 0, end: 9 }])(0, 9)).toEqual({});
  const many = Array.from({ length: 200 }, (_, index) => block(index * 10, region(1, (index % 2) * 300, index)));
  const { regions = [] } = createRegionFinder(many)(0, 2000);
  expect(regions).toHaveLength(64);
  expect(Math.max(...regions.map(({ bottom }) => bottom))).toBe(219);
});

test('chunks have the regions of their blocks', () => {
  const text = 'One part.\n\nTwo parts.';
  const blocks: Block[] = [
    { kind: 'paragraph', start: 0, end: 9, regions: [region(3, 50, 100)] },
    { kind: 'paragraph', start: 11, end: 21, regions: [region(4, 50, 80)] },
  ];
  const [chunk] = chunkText(text, blocks, '', { targetTokens: 100, overlapTokens: 0 });
  expect(chunk?.regions?.map(({ page }) => page)).toEqual([3, 4]);
});
