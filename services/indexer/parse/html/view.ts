import type { Document, Element } from 'domhandler';
import { type Controls, findControls } from './controls.ts';
import { type Declarations, readStyles } from './style.ts';
import { ancestorOf, elementsOf, rawTextOf } from './tree.ts';

/** What a reader of a page can get to see. */
export interface PageView {
  /** Reports whether an element and all that is in it is left out. */
  isSkipped(element: Element): boolean;
  controls: Controls;
  /** Elements with text that were left out so far. */
  counts(): { hidden: number; boilerplate: number };
}

/** Elements without text for a reader. */
const withoutText = new Set(
  'script style noscript template iframe object svg canvas video audio select input textarea head datalist'.split(' '),
);
/** Elements with text that every page of a site repeats. */
const boilerplateTags = new Set(['nav', 'footer']);
const boilerplateRoles = new Set(['navigation', 'banner', 'contentinfo', 'search', 'menu', 'menubar', 'toolbar']);
const boilerplateNames =
  /(?:^|[\s_-])(?:sidebar|breadcrumbs?|cookie|navbar|menu|footer|advert(?:isement)?s?|ads?|share|related)(?:$|[\s_-])/i;
const asideNames = /(?:^|[\s_-])(?:advert(?:isement)?s?|ads?|promo|share|related|newsletter|cookie)(?:$|[\s_-])/i;
const headings = /^h[1-6]$/;

/**
 * Creates the view of a page. `isMain`: only its marked main part is read, in which asides and forms are content; otherwise parts that are
 * named like boilerplate are left out too. `keepsAll`: nothing but what is hidden is left out.
 */
export function createPageView(
  document: Document,
  { isMain, keepsAll = false }: { isMain: boolean; keepsAll?: boolean },
): PageView {
  const controls = findControls(document);
  const styles = readStyles(document);
  const canDecideColours = !hasOtherStyles(document);
  const decided = new Map<Element, boolean>();
  const counts = { hidden: 0, boilerplate: 0 };

  const isBoilerplate = (element: Element): boolean => {
    const { name, attribs } = element;
    if (keepsAll) return false;
    if (boilerplateTags.has(name) || boilerplateRoles.has(attribs.role ?? '')) return true;
    const names = `${attribs.class ?? ''} ${attribs.id ?? ''}`;
    if (name === 'form' && isSearch(element)) return true;
    if (isMain) return (name === 'aside' || attribs.role === 'complementary') && asideNames.test(names);
    if (name === 'aside' || attribs.role === 'complementary') return true;
    return boilerplateNames.test(names);
  };
  const isHidden = (element: Element): boolean => {
    const { attribs } = element;
    const declared = styles.of(element);
    const isClosed =
      'hidden' in attribs ||
      attribs['aria-hidden'] === 'true' ||
      declared.display === 'none' ||
      declared.visibility === 'hidden' ||
      (element.name === 'dialog' && !('open' in attribs));
    if (isClosed) return !controls.isPanel(element);
    return isTooSmall(declared) || (canDecideColours && isSameColour(element));
  };
  const isSameColour = (element: Element): boolean => {
    const { color } = styles.of(element);
    if (color === undefined) return false;
    const background = (of: Element) => {
      const declared = styles.of(of);
      return declared['background-color'] ?? declared.background;
    };
    const behind =
      background(element) !== undefined
        ? element
        : ancestorOf(element, 100, (above) => background(above) !== undefined);
    return colourOf(color) === colourOf(behind === undefined ? 'white' : (background(behind) as string));
  };
  const decide = (element: Element): boolean => {
    if (withoutText.has(element.name)) return true;
    if (element.name === 'button' && ancestorOf(element, 5, isHeadingOrSummary) === undefined) return true;
    const isUnseen = isHidden(element);
    if (!isUnseen && !isBoilerplate(element)) return false;
    if (rawTextOf(element).trim() !== '') counts[isUnseen ? 'hidden' : 'boilerplate']++;
    return true;
  };
  return {
    controls,
    counts: () => counts,
    isSkipped(element) {
      const known = decided.get(element);
      if (known !== undefined) return known;
      const isSkipped = decide(element);
      decided.set(element, isSkipped);
      return isSkipped;
    },
  };
}

const isHeadingOrSummary = ({ name }: Element) => headings.test(name) || name === 'summary' || name === 'dt';

function isSearch(form: Element): boolean {
  for (const { name, attribs } of elementsOf(form)) {
    if (name === 'input' && (attribs.type === 'search' || /^(?:q|query|search|s|keyword)$/.test(attribs.name ?? '')))
      return true;
  }
  return false;
}

/** Without the style sheets of other files, the colour behind a text is not known. */
function hasOtherStyles(document: Document): boolean {
  for (const { name, attribs } of elementsOf(document)) {
    if (name === 'link' && attribs.rel?.toLowerCase().includes('stylesheet') === true) return true;
  }
  return false;
}

function isTooSmall(declared: Declarations): boolean {
  const isZero = (value: string | undefined) => value !== undefined && /^0(?:\.0+)?(?:px|em|rem|pt|%)?$/.test(value);
  const isTiny = (value: string | undefined) => isZero(value) || value === '1px';
  if (isZero(declared['font-size']) || isZero(declared.opacity)) return true;
  if ((isTiny(declared.width) || isTiny(declared.height)) && declared.overflow === 'hidden') return true;
  const isAway = (value: string | undefined) => /^-\d{3,}(?:px|em|rem)$/.test(value ?? '');
  return (
    isAway(declared['text-indent']) ||
    (declared.position === 'absolute' && (isAway(declared.left) || isAway(declared.top)))
  );
}

const namedColours: Readonly<Record<string, string>> = {
  white: 'ffffff',
  black: '000000',
  red: 'ff0000',
  gray: '808080',
  grey: '808080',
};

/** Returns a colour in one form; a colour that is not understood is different from all others. */
function colourOf(value: string): string {
  const word = value.split(/\s+(?![^(]*\))/)[0] ?? '';
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/.exec(word)?.[1];
  if (hex !== undefined) return hex.length === 6 ? hex : [...hex].map((digit) => digit + digit).join('');
  const rgb = /^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$/.exec(word);
  if (rgb !== null)
    return rgb
      .slice(1)
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  return namedColours[word] ?? `${value}?${Math.abs(value.length)}`;
}
