import type { ChildNode, Element, ParentNode } from 'domhandler';
import { parseDocument } from 'htmlparser2';
import type { TextBuilder } from '../blocks.ts';
import { type Boilerplate, collapse, inlineTags, isBoilerplate, isElement, wordsOf } from './page.ts';
import { addTable, isDataTable } from './table.ts';

/** Deepest nesting that is read as structure. Text below it becomes one paragraph. */
const depthMax = 200;

/** Adds the blocks of a piece of HTML, for HTML inside Markdown. */
export function addHtml(builder: TextBuilder, html: string): void {
  addBlocks(builder, parseDocument(html), { byName: false, forms: true });
}

/** Adds the blocks below a node: headings, lists, tables by row, code, paragraphs. */
export function addBlocks(builder: TextBuilder, root: ParentNode, boilerplate: Boilerplate): void {
  let words = '';
  let marker = '';
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
    if (!isElement(node) || isBoilerplate(node, boilerplate)) return;
    if (depth > depthMax) {
      words += ` ${wordsOf(node, boilerplate)} `;
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
    if (/^h[1-6]$/.test(name)) builder.addHeading(Number(name[1]), wordsOf(node, boilerplate));
    else if (name === 'pre') builder.add('code', rawTextOf(node));
    else if (name === 'table' && isDataTable(node)) addTable(builder, node, boilerplate);
    else {
      if (name === 'dd') marker = '- ';
      walkAll(node.children, depth + 1, listDepth);
    }
  };
  const walkList = (list: Element, depth: number, listDepth: number) => {
    flush();
    let number = Number.parseInt(list.attribs.start ?? '1', 10) || 1;
    for (const node of list.children) {
      const isEntry = isElement(node) && node.name === 'li';
      if (isEntry) marker = `${'  '.repeat(Math.min(listDepth, 8))}${list.name === 'ol' ? `${number++}. ` : '- '}`;
      if (isEntry && !isBoilerplate(node, boilerplate)) walkAll(node.children, depth + 1, listDepth + 1);
      else walk(node, depth + 1, listDepth + 1);
      flush();
      marker = '';
    }
  };
  walkAll(root.children, 0, 0);
  flush();
}

function rawTextOf(root: Element): string {
  const parts: string[] = [];
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === 'text') parts.push((node as { data: string }).data);
    if (isElement(node))
      for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
  return parts.join('');
}
