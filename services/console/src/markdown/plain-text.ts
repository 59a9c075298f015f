import type { Inline } from './inline.ts';
import { type Block, parseMarkdown } from './parse.ts';

/** The words of a Markdown text in one line, without its marks: for excerpts, in which headings and tables have no room. */
export function plainText(source: string): string {
  return parseMarkdown(source).map(ofBlock).join(' ').replaceAll(/\s+/g, ' ').trim();
}

function ofBlock(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
    case 'heading':
      return ofInlines(block.children);
    case 'list':
      return block.items.map((item) => item.map(ofBlock).join(' ')).join(' · ');
    case 'code':
      return block.lines.map(({ text }) => text).join(' ');
    case 'table':
      return [block.header, ...block.rows].map((row) => row.map(ofInlines).join(' ')).join(' · ');
    case 'quote':
      return block.children.map(ofBlock).join(' ');
    case 'rule':
      return '';
    default:
      return block satisfies never;
  }
}

function ofInlines(inlines: readonly Inline[]): string {
  return inlines.map(ofInline).join('');
}

function ofInline(inline: Inline): string {
  switch (inline.kind) {
    case 'text':
    case 'code':
      return inline.text;
    case 'marker':
      return `[${inline.marker}]`;
    case 'newline':
      return ' ';
    default:
      return ofInlines(inline.children);
  }
}
