// What a thing is, read from its name: a desk lamp is a lamp, 落地灯 is one of 灯具.

/** The noun that a word specifies: "desk" in "desk lamp". */
export interface Head {
  /** The noun, as a token. */
  token: string;
  /** The words as they are written: "desk lamps". */
  name: string;
  /** How a document writes them, without the ending of the noun: "desk lamp". */
  phrase: string;
  /** Matches the noun in a text in normal form if no other word specifies it: "lamps, projectors", not "floor lamps". */
  pattern: RegExp;
}

/** Words before a noun that do not make it another thing. */
const determiners =
  'a|an|the|all|any|each|every|other|our|your|my|this|that|these|those|no|of|and|or|for|with|to|on|in|from|most|new';

/** Returns the noun of an English phrase of two words, as the class of what the phrase names. */
export function headOf(phrase: string, token: string): Head {
  const noun = phrase.slice(phrase.lastIndexOf(' ') + 1);
  const stem = noun.replace(/(?:es|s|ies|y)$/, '');
  return {
    token,
    name: phrase,
    phrase: `${phrase.slice(0, phrase.lastIndexOf(' '))} ${stem}`,
    pattern: new RegExp(`(?:^|[^a-z\\s-]\\s*|(?<![a-z])(?:${determiners})\\s)${stem}[a-z]{0,3}(?![a-z])`),
  };
}

/** Endings of Chinese words for a kind of thing, after the character that names the kind: 灯具, 毯子, 鞋类. */
const classEnding = '[具类饰子]';
/** Characters that form other words with these endings: 家具 is no kind of 商家. */
const noClass = new Set('家分种电日样位儿天个面点本卖买费款货时');
const itemStart = '(?:^|[^\\p{sc=Han}]|[的各等和及或与])';
const known = new Map<string, RegExp | undefined>();
const maxKnown = 5000;

/**
 * Returns what matches the kind of a Chinese thing in a text: 灯具 for 台灯, 会员 by itself for 金线会员. `undefined`: its name does not
 * say it.
 */
export function classPattern(word: string): RegExp | undefined {
  if (known.has(word)) return known.get(word);
  const characters = [...word];
  const last = characters.at(-1) ?? '';
  const parts: string[] = [];
  if (characters.length >= 2 && characters.length <= 5 && !noClass.has(last)) {
    parts.push(`${last}${classEnding}`, `${itemStart}${last}(?=[、，,；;]|等)`);
    // 会员 for 铂光会员; but 金卡 is no kind of 白金卡.
    for (let from = 2; from <= characters.length - 2; from++) {
      parts.push(`${itemStart}${characters.slice(from).join('')}`);
    }
  }
  const pattern = parts.length === 0 ? undefined : new RegExp(parts.join('|'), 'u');
  if (known.size >= maxKnown) known.clear();
  known.set(word, pattern);
  return pattern;
}
