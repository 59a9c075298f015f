import fc from 'fast-check';
import type { RootContent } from 'mdast';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { toString as wordsOf } from 'mdast-util-to-string';
import { gfmTable } from 'micromark-extension-gfm-table';
import { expect, test } from 'vitest';
import { parseInPieces } from './pieces.ts';

// A link in the words of a block depends on definitions anywhere in the text.
const extensions = [gfmTable(), { disable: { null: ['labelEnd'] } }];
const parse = (text: string) => fromMarkdown(text, { extensions, mdastExtensions: [gfmTableFromMarkdown()] });

// Not: empty entries and lists that begin at 2 right below code, and HTML right below a quotation. The parser reads them unlike CommonMark.
const line = fc.constantFrom(
  ...['# Heading', 'Text of a paragraph', 'more text', 'Title', '=====', '---', '***', '', '', ''],
  ...['- one', '  of one', '      code of one', '1. first', '   of first', '+ plus', '> quoted\n', '> - in it\n'],
  ...['```', '```sh', '~~~~', '``` in ``` a line', '- ```', '  ```', '   ```', '    ```', '# no heading if it is code'],
  ...[
    '<!--',
    '<!-- short -->',
    '-->',
    '<pre>',
    '</pre>',
    '<script>',
    '</script>',
    '<div>',
    '</div>',
    '<b>',
    '<?php',
    '?>',
  ],
  ...[
    '    indented',
    '\tindented',
    '[label]: https://example.com',
    '"a title"',
    '[label]',
    '| a | b |',
    '| - | - |',
    '| 1 | 2 |',
  ],
);
const text = fc.array(line, { maxLength: 60 }).map((lines) => lines.join('\n'));

/** The blocks with their words; entries of lists each for itself, since a list may be cut between them. */
function blocksOf(nodes: readonly RootContent[]): string[] {
  const blocks = nodes.flatMap((node): RootContent[] => (node.type === 'list' ? node.children : [node]));
  return blocks.map((node) => `${node.type}: ${wordsOf(node)}`);
}

test('the blocks of the pieces are those of the whole', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 60 }), (whole, length) => {
      const pieces = [...parseInPieces(whole, parse, length)];
      expect(pieces.map((piece) => piece.text).join('')).toBe(whole);
      expect(pieces.flatMap(({ nodes }) => blocksOf(nodes))).toEqual(blocksOf(parse(whole).children));
    }),
    { numRuns: 1000 },
  );
});

test('a long text is parsed in many pieces, none much longer than its blocks', () => {
  for (const block of ['# a\n', 'Text.\n\n', '- a\n', '- a\n\n', '1. a\n']) {
    const lengths: number[] = [];
    const watched = (piece: string) => {
      lengths.push(piece.length);
      return parse(piece);
    };
    const whole = block.repeat(1000);
    expect([...parseInPieces(whole, watched, 100)].map((piece) => piece.text).join('')).toBe(whole);
    expect(Math.max(...lengths), block).toBeLessThan(820);
  }
});

test('a piece that is not parsed has its text and no nodes', () => {
  const pieces = [
    ...parseInPieces('a\n\n!\n\nb\n\nc\n', (piece) => (piece.includes('!') ? undefined : parse(piece)), 1),
  ];
  expect(pieces.map((piece) => piece.text).join('')).toBe('a\n\n!\n\nb\n\nc\n');
  const [refused] = pieces.filter(({ nodes, text: source }) => nodes.length === 0 && source.trim() !== '');
  expect(refused?.text).toContain('!');
});
