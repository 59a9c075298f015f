import type { Heading, Nodes, Root, RootContent, Table } from 'mdast';
import { fromMarkdown, type Options } from 'mdast-util-from-markdown';
import { gfmTableFromMarkdown } from 'mdast-util-gfm-table';
import { toString as wordsOf } from 'mdast-util-to-string';
import { gfmTable } from 'micromark-extension-gfm-table';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder, renderRow, type TextBuilder } from '../../../parse/blocks.ts';
import { blocksOfText } from '../../../parse/blocks-of-text.ts';
import { readText } from '../../../parse/decode.ts';
import { splitFrontMatter } from '../../../parse/front-matter.ts';
import { addHtml } from '../../../parse/html/blocks.ts';
import type { Parser } from '../../../parse/parser.ts';
import { firstHeading, parseWhole } from '../../../parse/whole-document.ts';
import { type Piece, parseInPieces } from './pieces.ts';

/** Length of a piece, in UTF-16 code units: in pieces of 100,000, the parser takes 2.6 times as much CPU. */
const pieceLength = 3_000;
const parsedLengthMax = 2_000_000;
/** Lines nested about 80 levels deep: the parser's time grows with more than the square of the depth. */
const deepLine = /^[ \t>]{160}|^(?:> ?){80}|^(?:[-*+] +){80}/m;

/** Only headings need the marks inside of a line; the parser's time for it grows with the square of a paragraph. */
const blocksOnly: Options = {
  extensions: [
    gfmTable(),
    {
      disable: {
        null: [
          'attention',
          'autolink',
          'characterEscape',
          'characterReference',
          'codeText',
          'hardBreakEscape',
          'htmlText',
          'labelEnd',
          'labelStartImage',
          'labelStartLink',
        ],
      },
    },
  ],
  mdastExtensions: [gfmTableFromMarkdown()],
};
/** Longest heading, in UTF-16 code units, whose marks are read. */
const headingLengthMax = 1000;

const parser: Parser = {
  mediaTypes: ['text/markdown', 'text/x-markdown'],
  endings: ['.md', '.markdown', '.mdown', '.mdx'],
  isList: false,
  async *parse(file, parts) {
    const read = await readText(file, parts);
    yield* read.notes;
    const { values, body } = splitFrontMatter(read.text);
    const builder = createTextBuilder();
    const labels = definedLabels(body);
    for (const piece of parseInPieces(body, parseBlocks, pieceLength)) addPiece(builder, piece, labels);
    const { text, blocks } = builder.finish();
    yield* parseWhole(file, { text, blocks, values, title: firstHeading(blocks) });
  },
};

/** Returns the labels of the link definitions of a text; they apply to all of it. A label with a caret is a footnote's. */
function definedLabels(text: string): ReadonlySet<string> {
  const definitions = text.matchAll(/^ {0,3}\[([^[\]\n^][^[\]\n]{0,998})\]:/gm);
  return new Set(Array.from(definitions, ([, label = '']) => label.trim().toLowerCase()));
}

/** Returns `undefined` for what is hardly Markdown, for which the parser would take minutes: megabytes of one block, or nesting that no reader follows. */
function parseBlocks(piece: string): Root | undefined {
  if (piece.length > parsedLengthMax || deepLine.test(piece)) return undefined;
  return fromMarkdown(piece, blocksOnly);
}

function addPiece(builder: TextBuilder, { text, nodes }: Piece, defined: ReadonlySet<string>): void {
  if (nodes.length === 0) {
    for (const { kind, start, end } of blocksOfText(text)) {
      builder.add(kind === 'heading' ? 'paragraph' : kind, text.slice(start, end));
    }
  }
  for (const node of nodes) {
    if (node.type === 'heading') builder.addHeading(node.depth, headingOf(node, text, defined));
    else addNode(builder, node, text);
  }
}

/** Returns the words of a heading, without its marks and the targets of its links. */
function headingOf(heading: Heading, source: string, defined: ReadonlySet<string>): string {
  const marked = sourceOf(heading, source);
  if (marked.length > headingLengthMax || !/[*_`[<&\\]/.test(marked)) return wordsOf(heading);
  const labels = new Set(Array.from(marked.matchAll(/\[([^[\]]+)\]/g), ([, label = '']) => label.trim().toLowerCase()));
  const used = [...labels].filter((label) => defined.has(label)).map((label) => `[${label}]: #`);
  return wordsOf(fromMarkdown([marked, ...used].join('\n\n')).children[0]);
}

/** Adds the blocks of a node. Paragraphs, lists and code keep their source text; tables become rows with headers. */
function addNode(builder: TextBuilder, node: Exclude<RootContent, Heading>, source: string): void {
  switch (node.type) {
    case 'table':
      addTable(builder, node, source);
      break;
    case 'list':
      for (const entry of node.children) builder.add('list-item', sourceOf(entry, source));
      break;
    case 'code':
      builder.add('code', sourceOf(node, source));
      break;
    case 'html':
      addHtml(builder, node.value);
      break;
    case 'definition':
    case 'thematicBreak':
      break;
    default:
      builder.add('paragraph', sourceOf(node, source));
  }
}

function addTable(builder: TextBuilder, table: Table, source: string): void {
  const [head, ...rows] = table.children.map((row) => row.children.map((cell) => cellOf(cell.children, source)));
  if (head === undefined) return;
  if (rows.length === 0) builder.add('table-row', renderRow([], head));
  for (const row of rows) builder.add('table-row', renderRow(head, row));
}

function cellOf(children: readonly Nodes[], source: string): string {
  const first = children[0]?.position?.start.offset;
  const last = children.at(-1)?.position?.end.offset;
  return first === undefined || last === undefined
    ? ''
    : source
        .slice(first, last)
        .replaceAll('\\|', '|')
        .replace(/<br\s*\/?>/gi, ' ');
}

function sourceOf(node: Nodes, source: string): string {
  const { start, end } = node.position ?? {};
  return source.slice(start?.offset ?? 0, end?.offset ?? 0);
}

/** Reads Markdown (with GFM tables and YAML front matter) as one document. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
