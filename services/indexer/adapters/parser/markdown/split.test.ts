import fc from 'fast-check';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { expect, test } from 'vitest';
import { splitMarkdown } from './split.ts';

const parts = fc.constantFrom(
  '# Heading\n\n',
  '# Heading\nText right below it.\n\n',
  'A paragraph of two lines,\nwith **marks** and a [link](https://example.com).\n\n',
  'Title\n=====\n\n',
  '- one\n- two\n  more of two\n\n',
  '- loose\n\n- list\n\n  with a paragraph\n\n',
  '1. first\n2. second\n\n',
  '> quoted\n> text\n\n',
  '```sh\n# not a heading\n\nnor a paragraph\n```\n\n',
  '~~~~\n```\n# code\n~~~~\n\n',
  '- item\n\n  ```\n  # code\n\n  code\n  ```\n\n',
  '<!-- # not shown\n\n# nor this\n\nnor that -->\n\n',
  '<!-- short -->\n\n',
  '<pre>\n\n# kept\n\n</pre>\n\n',
  '<script>\n\n# not read\n</script>\n\n',
  '<div>\n\nText of a division.\n\n</div>\n\n',
  '    # indented code\n\n',
  '***\n\n',
  '[label]: https://example.com\n\n',
);

/** The blocks of a text; entries of lists each for itself, since a list may be cut between them. */
function blocksOf(text: string): string[] {
  return fromMarkdown(text).children.flatMap((node) => {
    const blocks = node.type === 'list' ? node.children : [node];
    return blocks.map(({ type, position }) => {
      const source = text.slice(position?.start.offset, position?.end.offset);
      return `${type}: ${source}`;
    });
  });
}

test('the blocks of the pieces are those of the whole', () => {
  fc.assert(
    fc.property(fc.array(parts, { minLength: 5, maxLength: 60 }), fc.integer({ min: 20, max: 300 }), (drawn, aim) => {
      const text = drawn.join('');
      const pieces = splitMarkdown(text, aim);
      expect(pieces.join('')).toBe(text);
      expect(pieces.flatMap(blocksOf)).toEqual(blocksOf(text));
    }),
    { numRuns: 500 },
  );
});

test('a long text is cut', () => {
  expect(splitMarkdown('# a\n'.repeat(1000), 100)).toHaveLength(40);
  expect(splitMarkdown('Text.\n\n'.repeat(1000), 100).length).toBeGreaterThan(30);
});
