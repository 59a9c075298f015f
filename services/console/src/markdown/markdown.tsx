import { Fragment, type ReactNode, useMemo } from 'react';
import type { Range } from '../state/evidence.ts';
import type { Inline } from './inline.ts';
import { type Block, parseMarkdown } from './parse.ts';

/** Options for rendering blocks. */
export interface MarkdownOptions {
  /** Part of the source to highlight. */
  highlight?: Range | undefined;
  /** Renders a citation marker. Default: the marker as written. */
  marker?: ((marker: number, start: number) => ReactNode) | undefined;
}

/** Renders Markdown as React elements. HTML of the source never reaches the page. */
export function Markdown({ text, open = false, ...options }: { text: string; open?: boolean } & MarkdownOptions) {
  const blocks = useMemo(() => parseMarkdown(text, open), [text, open]);
  return <MarkdownBlocks blocks={blocks} {...options} />;
}

/** Renders parsed blocks as React elements. */
export function MarkdownBlocks({ blocks, ...options }: { blocks: readonly Block[] } & MarkdownOptions) {
  return <>{blocks.map((block) => renderBlock(block, options))}</>;
}

function renderBlock(block: Block, options: MarkdownOptions): ReactNode {
  const key = `${block.start}-${block.kind}`;
  switch (block.kind) {
    case 'paragraph':
      return <p key={key}>{renderInlines(block.children, options)}</p>;
    case 'heading': {
      // The page's own headings are h1 and h2.
      const Tag = block.level <= 2 ? 'h3' : block.level === 3 ? 'h4' : 'h5';
      return <Tag key={key}>{renderInlines(block.children, options)}</Tag>;
    }
    case 'list': {
      const items = block.items.map((item) => (
        <li key={item[0]?.start ?? 0}>{item.map((inner) => renderItemBlock(inner, item.length, options))}</li>
      ));
      if (!block.ordered) return <ul key={key}>{items}</ul>;
      return (
        <ol key={key} start={block.first}>
          {items}
        </ol>
      );
    }
    case 'code':
      return (
        <pre key={key}>
          <code>
            {block.lines.map((line) => (
              <Fragment key={line.start}>
                {renderText(line.text, line.start, options)}
                {'\n'}
              </Fragment>
            ))}
          </code>
        </pre>
      );
    case 'table':
      return renderTable(block, options, key);
    case 'quote':
      return <blockquote key={key}>{block.children.map((inner) => renderBlock(inner, options))}</blockquote>;
    case 'rule':
      return <hr key={key} />;
    default:
      return block satisfies never;
  }
}

/** Renders a block of a list item. A single paragraph has no `p`, so that the list stays tight. */
function renderItemBlock(block: Block, blockCount: number, options: MarkdownOptions): ReactNode {
  if (block.kind !== 'paragraph' || blockCount > 2) return renderBlock(block, options);
  return <Fragment key={block.start}>{renderInlines(block.children, options)}</Fragment>;
}

function renderTable(block: Extract<Block, { kind: 'table' }>, options: MarkdownOptions, key: string): ReactNode {
  const cellKey = (cell: Inline[], index: number) => `${index}-${placeOf(cell)}`;
  return (
    <div key={key} className="table-frame">
      <table>
        <thead>
          <tr>
            {block.header.map((cell, index) => (
              <th key={cellKey(cell, index)} scope="col">
                {renderInlines(cell, options)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.rows.map((row, rowIndex) => (
            <tr key={`${rowIndex}-${row[0] === undefined ? '' : placeOf(row[0])}`}>
              {row.map((cell, index) => (
                <td key={cellKey(cell, index)}>{renderInlines(cell, options)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function renderInlines(inlines: readonly Inline[], options: MarkdownOptions): ReactNode {
  return joinMarks(inlines).map((run, index) => {
    const nodes = run.map((inline, position) => (
      <Fragment key={`${position}-${inline.kind}`}>{renderInline(inline, options)}</Fragment>
    ));
    const key = `${index}-${run[0]?.kind}`;
    if (run.length === 1) return <Fragment key={key}>{nodes}</Fragment>;
    return (
      <span key={key} className="keep">
        {nodes}
      </span>
    );
  });
}

/** Groups markers with the punctuation after them, which must not begin a line. */
function joinMarks(inlines: readonly Inline[]): Inline[][] {
  const runs: Inline[][] = [];
  for (const inline of inlines) {
    const run = runs.at(-1);
    const afterMarker = run?.at(-1)?.kind === 'marker';
    const marks =
      inline.kind === 'text' && afterMarker ? (/^[.,;:!?)。，；：！？、）」』”…]+/.exec(inline.text)?.[0] ?? '') : '';
    if (afterMarker && inline.kind === 'marker') run?.push(inline);
    else if (inline.kind !== 'text' || marks === '') runs.push([inline]);
    else {
      run?.push({ ...inline, text: marks });
      const rest = inline.text.slice(marks.length);
      if (rest !== '') runs.push([{ ...inline, text: rest, start: inline.start + marks.length }]);
    }
  }
  return runs;
}

function renderInline(inline: Inline, options: MarkdownOptions): ReactNode {
  switch (inline.kind) {
    case 'text':
      return renderText(inline.text, inline.start, options);
    case 'code':
      return <code>{renderText(inline.text, inline.start, options)}</code>;
    case 'strong':
      return <strong>{renderInlines(inline.children, options)}</strong>;
    case 'emphasis':
      return <em>{renderInlines(inline.children, options)}</em>;
    case 'link':
      return (
        <a href={inline.href} target="_blank" rel="noreferrer noopener">
          {renderInlines(inline.children, options)}
        </a>
      );
    case 'marker':
      return options.marker?.(inline.marker, inline.start) ?? renderText(`[${inline.marker}]`, inline.start, options);
    case 'newline':
      return <br />;
    default:
      return inline satisfies never;
  }
}

/** Renders text, with the highlighted part in a `mark`. */
function renderText(text: string, start: number, { highlight }: MarkdownOptions): ReactNode {
  if (highlight === undefined) return keepCodes(text);
  const from = Math.max(0, highlight.start - start);
  const to = Math.min(text.length, highlight.end - start);
  if (from >= to) return keepCodes(text);
  return (
    <>
      {keepCodes(text.slice(0, from))}
      <mark data-testid="highlight">{keepCodes(text.slice(from, to))}</mark>
      {keepCodes(text.slice(to))}
    </>
  );
}

const code = /(?<![\w-])([A-Z\d]{1,12}(?:-[A-Z\d]{1,12}){1,3})(?![\w-])/;

/** Renders text with codes such as `P-409` and dates kept on one line: a browser breaks lines after a hyphen. */
function keepCodes(text: string): ReactNode {
  const parts = text.split(code);
  if (parts.length === 1) return text;
  return parts.map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <span key={index} className="keep">
        {part}
      </span>
    ),
  );
}

function placeOf(inlines: readonly Inline[]): number {
  const first = inlines[0];
  if (first === undefined || first.kind === 'newline') return 0;
  return 'start' in first ? first.start : placeOf(first.children);
}
