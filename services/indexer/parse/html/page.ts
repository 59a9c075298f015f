import type { ChildNode, Document, Element, ParentNode } from 'domhandler';

// Finding one's way in a parsed HTML page. Nothing here recurses: a page may nest as deep as its author's editor was broken.

/** Elements that hold no words of the page, or words of every page of the site. */
const boilerplateTags = new Set(
  'script style noscript template nav footer aside form iframe object svg canvas video audio button select input dialog head'.split(
    ' ',
  ),
);
const boilerplateRoles = new Set(['navigation', 'banner', 'contentinfo', 'complementary', 'search', 'menu', 'dialog']);
const boilerplateNames =
  /(?:^|[\s_-])(?:sidebar|breadcrumbs?|cookie|navbar|menu|footer|advert(?:isement)?|share|related)(?:$|[\s_-])/i;

/** How much of a page is left out. */
export interface Boilerplate {
  /** Elements that are named like boilerplate; only where the page doesn't mark its main part. */
  byName: boolean;
  /** Forms; some sites wrap the whole page in one. */
  forms: boolean;
}

/** Whether an element is none of the page's own words. */
export function isBoilerplate(element: Element, { byName, forms }: Boilerplate): boolean {
  const { name, attribs } = element;
  if (name === 'form') return forms;
  if (boilerplateTags.has(name) || 'hidden' in attribs || attribs['aria-hidden'] === 'true') return true;
  if (boilerplateRoles.has(attribs.role ?? '')) return true;
  return byName && boilerplateNames.test(`${attribs.class ?? ''} ${attribs.id ?? ''}`);
}

/** Whether a node is an element. */
export function isElement(node: ChildNode | ParentNode): node is Element {
  return 'name' in node && 'attribs' in node;
}

/** Elements below a node, in order; `into` says whether to look inside one. */
export function* elementsOf(root: ParentNode, into: (element: Element) => boolean = () => true): Iterable<Element> {
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!isElement(node)) continue;
    yield node;
    if (into(node))
      for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
}

/** Words below a node, white space collapsed. */
export function wordsOf(root: ParentNode, boilerplate: Boilerplate): string {
  const parts: string[] = [];
  const stack: ChildNode[] = [...root.children].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.type === 'text') parts.push((node as { data: string }).data);
    if (!isElement(node) || isBoilerplate(node, boilerplate)) continue;
    // A line break or the end of an inner block separates words; an inline element doesn't.
    if (!inlineTags.has(node.name)) parts.push(' ');
    for (let index = node.children.length - 1; index >= 0; index--) stack.push(node.children[index] as ChildNode);
  }
  return collapse(parts.join(''));
}

/** Elements that stand inside a line. */
export const inlineTags = new Set(
  'a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
);

/** White space as a browser shows it; a line end between two Chinese characters is none. */
export function collapse(text: string): string {
  return text
    .replace(/(?<=\p{sc=Han}|[，。！？；：、])[ \t]*\n\s*(?=\p{sc=Han})/gu, '')
    .replace(/[ \t\n\r\f\u00A0]+/g, ' ')
    .trim();
}

/** The part of a page that is its own: its main element, or its only article; the page where it marks none. */
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
