import type { ChildNode, Document, Element, ParentNode } from 'domhandler';
import { elementsOf, isElement } from './tree.ts';
import type { PageView } from './view.ts';

/** Returns the text below a node that a reader sees, with white space collapsed. */
export function wordsOf(root: ParentNode, view: PageView | undefined): string {
  const parts: string[] = [];
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === 'text') parts.push((node as { data: string }).data);
    if (!isElement(node) || view?.isSkipped(node) === true) continue;
    // A block separates words; an inline element does not.
    if (!inlineTags.has(node.name)) parts.push(' ');
    for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
  return collapse(parts.join(''));
}

/** Inline elements. */
export const inlineTags = new Set(
  'a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);

/** Collapses white space as a browser does, and removes line ends between Chinese characters. */
export function collapse(text: string): string {
  return text
    .replace(/(?<=\p{sc=Han}|[，。！？；：、])[ \t]*\n\s*(?=\p{sc=Han})/gu, '')
    .replace(/[ \t\n\r\f\u00A0]+/g, ' ')
    .trim();
}

/** Returns the main part of a page: its main element or its only article; the whole page if it marks neither. */
export function mainPartOf(document: Document): { part: ParentNode; isMarked: boolean } {
  const articles: Element[] = [];
  let body: Element | undefined;
  for (const element of elementsOf(document, ({ name }) => name !== 'article')) {
    if (element.name === 'main' || element.attribs.role === 'main') return { part: element, isMarked: true };
    if (element.name === 'article') articles.push(element);
    if (element.name === 'body') body ??= element;
  }
  const [only] = articles;
  if (only !== undefined && articles.length === 1) return { part: only, isMarked: true };
  return { part: body ?? document, isMarked: false };
}
