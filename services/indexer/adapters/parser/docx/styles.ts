import { childOf, childrenOf, type XmlElement } from '../../../parse/xml/read-xml.ts';

/** What a paragraph style means. */
export interface Style {
  /** 1 to 6, of a heading; 0 is the title of the document. */
  level: number | undefined;
  numberingId: string | undefined;
  numberingLevel: number;
  isHidden: boolean;
  isContents: boolean;
}

const levelMax = 6;
const none: Style = { level: undefined, numberingId: undefined, numberingLevel: 0, isHidden: false, isContents: false };

/** Returns the styles by id, each with what it inherits. */
export function readStyles(root: XmlElement | undefined): Map<string, Style> {
  const elements = new Map<string, XmlElement>();
  for (const element of root === undefined ? [] : childrenOf(root)) {
    const id = element.attributes['w:styleId'];
    if (element.name === 'w:style' && id !== undefined) elements.set(id, element);
  }
  const styles = new Map<string, Style>();
  const resolve = (id: string | undefined, depth: number): Style => {
    const element = elements.get(id ?? '');
    if (id === undefined || element === undefined || depth > 20) return none;
    const known = styles.get(id);
    if (known !== undefined) return known;
    const style = readStyle(element, resolve(settingOf(element, 'w:basedOn'), depth + 1));
    styles.set(id, style);
    return style;
  };
  for (const id of elements.keys()) resolve(id, 0);
  return styles;
}

function readStyle(element: XmlElement, base: Style): Style {
  const name = (settingOf(element, 'w:name') ?? '').toLowerCase();
  const properties = childOf(element, 'w:pPr');
  const numbering = childOf(properties, 'w:numPr');
  const ownLevel = levelOfName(name) ?? outlineLevelOf(properties);
  return {
    level: ownLevel === undefined ? base.level : ownLevel === 'body' ? undefined : ownLevel,
    numberingId: settingOf(numbering, 'w:numId') ?? base.numberingId,
    numberingLevel: Number(settingOf(numbering, 'w:ilvl') ?? base.numberingLevel),
    isHidden: isOn(childOf(element, 'w:rPr'), 'w:vanish') ?? base.isHidden,
    isContents: /^(?:toc|table of figures)\b/.test(name) || base.isContents,
  };
}

function levelOfName(name: string): number | undefined {
  if (name === 'title' || name === '标题') return 0;
  const number = /^(?:heading|标题|überschrift|titre)\s*([1-9])$/.exec(name)?.[1];
  return number === undefined ? undefined : Math.min(Number(number), levelMax);
}

/** Returns the heading level that properties of a paragraph give; `body` if they say that it is none. */
export function outlineLevelOf(properties: XmlElement | undefined): number | 'body' | undefined {
  const value = settingOf(properties, 'w:outlineLvl');
  if (value === undefined) return undefined;
  return Number(value) > 8 ? 'body' : Math.min(Number(value) + 1, levelMax);
}

/** Returns the value of a child such as `<w:ilvl w:val="0"/>`. */
export function settingOf(element: XmlElement | undefined, name: string): string | undefined {
  return childOf(element, name)?.attributes['w:val'];
}

/** Reports whether a switch such as `<w:vanish/>` is on; `undefined` if it is not there. */
export function isOn(properties: XmlElement | undefined, name: string): boolean | undefined {
  const element = childOf(properties, name);
  if (element === undefined) return undefined;
  return !['0', 'false', 'off'].includes(element.attributes['w:val'] ?? '');
}
