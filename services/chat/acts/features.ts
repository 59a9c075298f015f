import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { tagWords } from './lexicon.ts';

/** Words of a message that are read, and characters of it. */
const maxWords = 80;
const maxCharacters = 1000;

/** Returns what the router sees of a message: the tags of its words in their order, and how much of it the lexicon does not know. */
export function featuresOf(message: string): string[] {
  const text = normalizeText(message.slice(0, maxCharacters), foldTraditional).replaceAll('’', "'");
  const tagged = tagWords(text, maxWords);
  const features = new Set<string>();
  const content = tagged.filter(({ tag }) => tag !== 'FILL');
  const tags: string[] = [];
  for (const { tag } of content) if (tag !== tags.at(-1)) tags.push(tag);
  const sequence = ['^', ...tags, '$'];
  for (const [index, tag] of sequence.entries()) {
    features.add(tag);
    for (const length of [2, 3]) {
      const part = sequence.slice(index, index + length);
      if (part.length === length) features.add(part.join(' '));
    }
  }
  const kinds = [...new Set(tags)].filter((tag) => tag !== 'FILL').sort();
  if (kinds.length <= 3) features.add(`only ${kinds.join('+')}`);
  for (const [index, first] of kinds.entries()) {
    for (const second of kinds.slice(index + 1)) features.add(`${first} & ${second}`);
  }
  const unknown = content.filter(({ tag }) => tag === 'X').length;
  features.add(`unknown ${Math.min(unknown, 6)}`);
  features.add(`length ${Math.min(8, content.length)}`);
  if (!/\p{L}/u.test(text)) features.add(/\p{N}/u.test(text) ? 'no letters' : 'only signs');
  if (/[?？]/.test(message)) features.add('question mark');
  for (const { tag, text: word } of content) if (tag !== 'X' && tag !== 'CODE') features.add(`=${word}`);
  return [...features];
}
