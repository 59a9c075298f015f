import { expect, test } from 'vitest';
import { blocksOfText } from '../parse/blocks-of-text.ts';
import { type Section, sectionsOf } from './sections.ts';

// The elements of arrays that are visited are counted, not the time.

test.each([
  ['one heading again and again', () => '# a'],
  ['headings of all levels', (index: number) => `${'#'.repeat(1 + (index % 6))} a`],
  ['chapters without text', (index: number) => `# ${index}`],
  ['headings with few words', (index: number) => `# ${index}\n\nword`],
])('%s: the work grows with the number of blocks', (_, lineOf) => {
  const text = Array.from({ length: 2000 }, (_, index) => lineOf(index)).join('\n\n');
  const blocks = blocksOfText(text);
  let sections: Section[] = [];
  const visits = visitsDuring(() => {
    sections = sectionsOf(text, blocks, '', 400);
  });
  expect(sections.flatMap((section) => section.blocks.map(({ start }) => start))).toEqual(
    blocks.map(({ start }) => start),
  );
  expect(visits / blocks.length).toBeLessThan(30);
});

/** Returns how many elements of arrays are visited by loops, copies and `every` while `work` runs. */
function visitsDuring(work: () => void): number {
  const { [Symbol.iterator]: iterator, every } = Array.prototype;
  let count = 0;
  // Copies of arrays use the iterator as well.
  Object.assign(Array.prototype, {
    *[Symbol.iterator](this: unknown[]) {
      for (let index = 0; index < this.length; index++) {
        count++;
        yield this[index];
      }
    },
    every(this: unknown[], isRight: (value: unknown, index: number) => boolean) {
      return every.call(this, (value, index) => {
        count++;
        return isRight(value, index);
      });
    },
  });
  try {
    work();
  } finally {
    Object.assign(Array.prototype, { [Symbol.iterator]: iterator, every });
  }
  return count;
}
