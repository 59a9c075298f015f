import type { ChildNode, Element, ParentNode } from 'domhandler';
import { parseDocument } from 'htmlparser2';
import type { TextBuilder } from '../blocks.ts';
import { collapse, inlineTags, wordsOf } from './page.ts';
import { addTable, isDataTable } from './table.ts';
import { elementsOf, isElement, rawTextOf } from './tree.ts';
import { createPageView, type PageView } from './view.ts';

/** Deepest nesting that is read as structure. Text below it becomes one paragraph. */
const depthMax = 200;

/** Adds the blocks of a piece of HTML, for HTML inside Markdown. */
export function addHtml(builder: TextBuilder, html: string): void {
  const document = parseDocument(html);
  addBlocks(builder, document, createPageView(document, { isMain: true }));
}

/** Adds the blocks below a node: headings, lists, tables by row, code, paragraphs. */
export function addBlocks(builder: TextBuilder, root: ParentNode, view: PageView): void {
  let words = '';
  let marker = '';
  /** Level of the last heading of the page. */
  let outline = 1;
  const flush = () => {
    const text = words.split('\u2028').map(collapse).join('\n').trim();
    words = '';
    if (text === '') return;
    if (marker === '') builder.add('paragraph', text);
    else builder.add('list-item', `${marker}${text}`);
    // Further text inside the same item becomes a paragraph.
    marker = '';
  };
  const walkAll = (nodes: readonly ChildNode[], depth: number, listDepth: number) => {
    for (const node of nodes) walk(node, depth, listDepth);
  };
  const walk = (node: ChildNode, depth: number, listDepth: number): void => {
    if (node.type === 'text') {
      words += (node as { data: string }).data;
      return;
    }
    if (!isElement(node) || view.isSkipped(node)) return;
    if (depth > depthMax) {
      words += ` ${wordsOf(node, view)} `;
      return;
    }
    const { name } = node;
    if (name === 'br') words += '\u2028';
    else if (inlineTags.has(name)) walkAll(node.children, depth + 1, listDepth);
    else if (name === 'ul' || name === 'ol') walkList(node, depth, listDepth);
    else {
      flush();
      addElement(node, depth, listDepth);
      flush();
    }
  };
  const addElement = (node: Element, depth: number, listDepth: number) => {
    const { name } = node;
    const control = view.controls.controlOf(node);
    // What opens a panel is its heading.
    if (control !== undefined && view.controls.isPanel(node)) addControl(control);
    if (/^h[1-6]$/.test(name)) {
      outline = Number(name[1]);
      builder.addHeading(outline, wordsOf(node, view));
    } else if (name === 'summary') builder.addHeading(Math.min(outline + 1, 6), wordsOf(node, view));
    else if (name === 'pre') builder.add('code', rawTextOf(node));
    else if (name === 'dl') addDefinitions(node, depth, listDepth);
    else if (name === 'table' && isDataTable(node)) addTable(builder, node, view);
    else walkAll(node.children, depth + 1, listDepth);
  };
  const named = new Set<Element>();
  const addControl = (control: Element) => {
    if (named.has(control)) return;
    named.add(control);
    builder.addHeading(Math.min(outline + 1, 6), collapse(rawTextOf(control)));
  };
  /** A term and its description are one entry; a long description follows its term. */
  const addDefinitions = (list: Element, depth: number, listDepth: number) => {
    let terms: string[] = [];
    for (const node of elementsOf(list, ({ name }) => name === 'div')) {
      if (view.isSkipped(node)) continue;
      if (node.name === 'dt') terms.push(wordsOf(node, view));
      else if (node.name === 'dd') {
        const term = terms.join(', ');
        terms = [];
        if (hasBlocks(node)) {
          if (term !== '') builder.add('paragraph', term);
          walkAll(node.children, depth + 1, listDepth);
          flush();
        } else builder.add('list-item', `- ${[term, wordsOf(node, view)].filter(Boolean).join(separatorOf(term))}`);
      }
    }
    for (const term of terms) builder.add('list-item', `- ${term}`);
  };
  const walkList = (list: Element, depth: number, listDepth: number) => {
    flush();
    let number = Number.parseInt(list.attribs.start ?? '1', 10) || 1;
    for (const node of list.children) {
      const isEntry = isElement(node) && node.name === 'li';
      if (isEntry) marker = `${'  '.repeat(Math.min(listDepth, 8))}${list.name === 'ol' ? `${number++}. ` : '- '}`;
      if (isEntry && !view.isSkipped(node)) walkAll(node.children, depth + 1, listDepth + 1);
      else walk(node, depth + 1, listDepth + 1);
      flush();
      marker = '';
    }
  };
  walkAll(root.children, 0, 0);
  flush();
}

const blocksInside = new Set(['ul', 'ol', 'table', 'pre', 'dl', 'h2', 'h3', 'h4', 'h5', 'h6']);

function hasBlocks(element: Element): boolean {
  let paragraphCount = 0;
  for (const { name } of elementsOf(element)) {
    if (blocksInside.has(name)) return true;
    if (name === 'p') paragraphCount++;
  }
  return paragraphCount > 1;
}

function separatorOf(term: string): string {
  if (/[:：?？]$/.test(term)) return ' ';
  return /\p{sc=Han}/u.test(term) ? '：' : ': ';
}
