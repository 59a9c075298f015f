import type { Document, Element } from 'domhandler';
import { elementsOf, rawTextOf } from './tree.ts';

/** Declarations by property, in lower case. */
export type Declarations = Readonly<Record<string, string>>;

/** Declares what the styles in a page say about its elements. Style sheets of other files are not read. */
export interface PageStyles {
  of(element: Element): Declarations;
}

const rulesMax = 20_000;
const cssLengthMax = 1_000_000;
const selectorsLengthMax = 5000;
const none: Declarations = {};

/** Reads the styles of a page: rules with simple selectors (`p`, `.a`, `#b`, `p.a.b`), and what elements say themselves. */
export function readStyles(document: Document): PageStyles {
  const rules = new Map<string, { selector: SimpleSelector; declarations: Declarations }[]>();
  let count = 0;
  for (const element of elementsOf(document)) {
    if (element.name !== 'style') continue;
    for (const { selectors, declarations } of rulesOf(rawTextOf(element))) {
      for (const selector of selectors) {
        if (++count > rulesMax) break;
        const key = selector.id ?? selector.classes[0] ?? selector.tag ?? '';
        const found = rules.get(key);
        if (found === undefined) rules.set(key, [{ selector, declarations }]);
        else found.push({ selector, declarations });
      }
    }
  }
  return {
    of(element) {
      const { id, class: classes = '', style } = element.attribs;
      if (rules.size === 0) return style === undefined ? none : declarationsOf(style);
      const names = classes.split(/\s+/).filter(Boolean);
      const all: Record<string, string> = {};
      for (const key of [element.name, ...names.map((name) => `.${name}`), `#${id}`]) {
        for (const { selector, declarations } of rules.get(key) ?? []) {
          if (matches(selector, element.name, names, id)) Object.assign(all, declarations);
        }
      }
      return style === undefined ? all : Object.assign(all, declarationsOf(style));
    },
  };
}

interface SimpleSelector {
  tag: string | undefined;
  /** With the dot. */
  classes: readonly string[];
  /** With the number sign. */
  id: string | undefined;
}

const simple = /^([a-z][a-z0-9]*)?((?:\.[\w-]+)*)(#[\w-]+)?$/i;

function* rulesOf(given: string): Iterable<{ selectors: SimpleSelector[]; declarations: Declarations }> {
  const css = withoutComments(given.slice(0, cssLengthMax));
  for (let at = 0; ; ) {
    const open = css.indexOf('{', at);
    const close = open === -1 ? -1 : endOf(css, open);
    if (close === -1) return;
    // A statement such as @import may precede the selectors.
    const list = css.slice(Math.max(at, css.lastIndexOf(';', open) + 1), open).trim();
    at = close + 1;
    // Rules inside of @media and others apply to some readers only.
    if (list.startsWith('@') || list.length > selectorsLengthMax) continue;
    const declarations = declarationsOf(css.slice(open + 1, close));
    if (Object.keys(declarations).length > 0) yield { selectors: list.split(',').flatMap(toSelector), declarations };
  }
}

function withoutComments(css: string): string {
  return css
    .split('/*')
    .map((part, index) =>
      index === 0 ? part : part.slice(part.indexOf('*/') === -1 ? part.length : part.indexOf('*/') + 2),
    )
    .join('')
    .replace(/<!--|-->/g, '');
}

/** Returns the position of the brace that closes a block; -1 without one. */
function endOf(css: string, open: number): number {
  let depth = 0;
  for (let at = open; at < css.length; at++) {
    if (css[at] === '{') depth++;
    else if (css[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

function toSelector(text: string): SimpleSelector[] {
  const match = simple.exec(text.trim());
  if (match === null || match[0] === '') return [];
  const classes = (match[2] ?? '')
    .split('.')
    .filter(Boolean)
    .map((name) => `.${name}`);
  return [{ tag: match[1]?.toLowerCase(), classes, id: match[3] }];
}

function matches(
  { tag, classes, id }: SimpleSelector,
  name: string,
  names: readonly string[],
  ownId: string | undefined,
): boolean {
  if (tag !== undefined && tag !== name) return false;
  if (id !== undefined && id !== `#${ownId}`) return false;
  return classes.every((className) => names.includes(className.slice(1)));
}

/** Properties that decide whether something is seen. */
const known =
  /(?:^|;)\s*(display|visibility|opacity|font-size|width|height|overflow|position|left|top|text-indent|clip|clip-path|color|background|background-color)\s*:\s*([^;]{1,200})/gi;

function declarationsOf(text: string): Declarations {
  const declarations: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(known)) {
    declarations[name.toLowerCase()] = value
      .replace(/!important/i, '')
      .trim()
      .toLowerCase();
  }
  return declarations;
}
