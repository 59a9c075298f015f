import { childOf, childrenOf, type XmlElement } from '../../../parse/xml/read-xml.ts';
import { settingOf } from './styles.ts';

/** Counts the numbered paragraphs of a document. */
export interface Numbering {
  /** Returns the label of the next paragraph at a level of a list, such as "2.1" or "-"; `undefined` if the list is not known. */
  next(numberingId: string, level: number): string | undefined;
}

interface Level {
  format: string;
  /** `%1.%2`: the numbers of levels. */
  pattern: string;
  start: number;
}

const levelsMax = 9;

/** Creates the numbering of a document from its `numbering.xml`. */
export function createNumbering(root: XmlElement | undefined): Numbering {
  const lists = readLists(root);
  const counters = new Map<string, number[]>();
  return {
    next(numberingId, level) {
      const list = lists.get(numberingId);
      const own = list?.levels[level];
      if (list === undefined || own === undefined) return undefined;
      const counts = counters.get(list.abstractId) ?? [];
      counters.set(list.abstractId, counts);
      for (let outer = 0; outer < level; outer++) counts[outer] ??= list.levels[outer]?.start ?? 1;
      counts[level] = counts[level] === undefined ? own.start : counts[level] + 1;
      counts.length = level + 1;
      if (own.format === 'bullet') return '-';
      if (own.format === 'none') return '';
      return own.pattern.replace(/%([1-9])/g, (_, digit: string) => {
        const index = Number(digit) - 1;
        return formatNumber(counts[index] ?? 1, list.levels[index]?.format ?? 'decimal');
      });
    },
  };
}

function readLists(root: XmlElement | undefined): Map<string, { abstractId: string; levels: Level[] }> {
  const abstracts = new Map<string, Level[]>();
  const lists = new Map<string, { abstractId: string; levels: Level[] }>();
  for (const element of root === undefined ? [] : childrenOf(root)) {
    const abstractId = element.attributes['w:abstractNumId'];
    if (element.name === 'w:abstractNum' && abstractId !== undefined)
      abstracts.set(abstractId, readLevels(element, []));
    const id = element.attributes['w:numId'];
    if (element.name !== 'w:num' || id === undefined) continue;
    const usedId = settingOf(element, 'w:abstractNumId') ?? '';
    const levels = readLevels(element, abstracts.get(usedId) ?? []);
    // A list with numbers of its own counts by itself.
    const hasOverride = childOf(element, 'w:lvlOverride') !== undefined;
    lists.set(id, { abstractId: hasOverride ? `${usedId}/${id}` : usedId, levels });
  }
  return lists;
}

function readLevels(element: XmlElement, base: readonly Level[]): Level[] {
  const levels = [...base];
  for (const child of childrenOf(element)) {
    const override = child.name === 'w:lvlOverride' ? child : undefined;
    const level = override === undefined ? child : childOf(override, 'w:lvl');
    const index = Number((override ?? child).attributes['w:ilvl']);
    if (!(index >= 0 && index < levelsMax)) continue;
    const known = levels[index] ?? { format: 'decimal', pattern: `%${index + 1}.`, start: 1 };
    const start = settingOf(override, 'w:startOverride') ?? settingOf(level, 'w:start');
    levels[index] = {
      format: settingOf(level, 'w:numFmt') ?? known.format,
      pattern: settingOf(level, 'w:lvlText') ?? known.pattern,
      start: start === undefined ? known.start : Number(start),
    };
  }
  return levels;
}

function formatNumber(value: number, format: string): string {
  switch (format) {
    case 'lowerLetter':
      return letters(value);
    case 'upperLetter':
      return letters(value).toUpperCase();
    case 'lowerRoman':
      return roman(value);
    case 'upperRoman':
      return roman(value).toUpperCase();
    case 'chineseCounting':
    case 'chineseCountingThousand':
    case 'ideographDigital':
    case 'japaneseCounting':
    case 'taiwaneseCountingThousand':
      return chinese(value);
    default:
      return String(value);
  }
}

function letters(value: number): string {
  const letter = String.fromCharCode(97 + ((value - 1) % 26));
  return letter.repeat(Math.min(10, Math.ceil(value / 26)));
}

const romans: readonly [number, string][] = [
  [1000, 'm'],
  [900, 'cm'],
  [500, 'd'],
  [400, 'cd'],
  [100, 'c'],
  [90, 'xc'],
  [50, 'l'],
  [40, 'xl'],
  [10, 'x'],
  [9, 'ix'],
  [5, 'v'],
  [4, 'iv'],
  [1, 'i'],
];

function roman(value: number): string {
  let left = Math.min(Math.max(value, 0), 3999);
  let text = '';
  for (const [size, name] of romans) {
    while (left >= size) {
      text += name;
      left -= size;
    }
  }
  return text;
}

const digits = '零一二三四五六七八九';

function chinese(value: number): string {
  if (value < 10) return digits[value] ?? String(value);
  if (value >= 100) return String(value);
  const tens = Math.floor(value / 10);
  const ones = value % 10;
  return `${tens === 1 ? '' : digits[tens]}十${ones === 0 ? '' : digits[ones]}`;
}
