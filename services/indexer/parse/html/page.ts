import type { ChildNode, Document, Element, ParentNode } from 'domhandler';

// Reads of a parsed HTML page. No function recurses, because a broken page can be nested very deeply.

/** Elements without text of the page, or with text that every page of the site repeats. */
const boilerplateTags = new Set(
  'script style noscript template nav footer aside form iframe object svg canvas video audio button select input dialog head'.split(
    ' ',
  ),
);
const boilerplateRoles = new Set(['navigation', 'banner', 'contentinfo', 'complementary', 'search', 'menu', 'dialog']);
const boilerplateNames =
  /(?:^|[\s_-])(?:sidebar|breadcrumbs?|cookie|navbar|menu|footer|advert(?:isement)?|share|related)(?:$|[\s_-])/i;

/** Which parts of a page are skipped. */
export interface Boilerplate {
  /** Elements whose class or id is named like boilerplate; used only if the page does not mark its main part. */
  byName: boolean;
  /** Forms. Some sites wrap the whole page in a form. */
  forms: boolean;
}

/** Reports whether an element is boilerplate. */
export function isBoilerplate(element: Element, { byName, forms }: Boilerplate): boolean {
  const { name, attribs } = element;
  if (name === 'form') return forms;
  if (boilerplateTags.has(name) || 'hidden' in attribs || attribs['aria-hidden'] === 'true') return true;
  if (boilerplateRoles.has(attribs.role ?? '')) return true;
  return byName && boilerplateNames.test(`${attribs.class ?? ''} ${attribs.id ?? ''}`);
}

/** Reports whether a node is an element. */
export function isElement(node: ChildNode | ParentNode): node is Element {
  return 'name' in node && 'attribs' in node;
}

/** Yields the elements below a node, in order; `into` decides whether to visit the children of an element. */
export function* elementsOf(root: ParentNode, into: (element: Element) => boolean = () => true): Iterable<Element> {
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!isElement(node)) continue;
    yield node;
    if (into(node))
      for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
}

/** Returns the text below a node, with white space collapsed. */
export function wordsOf(root: ParentNode, boilerplate: Boilerplate): string {
  const parts: string[] = [];
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === 'text') parts.push((node as { data: string }).data);
    if (!isElement(node) || isBoilerplate(node, boilerplate)) continue;
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
