import { ENGLISH_STOP_WORDS } from '#kit/text/stop-words.ts';
import {
  CHINESE_ACTIONS,
  CHINESE_ASPECTS,
  CHINESE_FILLERS,
  CHINESE_HEADS,
  CHINESE_TAILS,
  ENGLISH_ASPECTS,
  ENGLISH_FILLERS,
} from './words.ts';

// What a question is about, by the words that it has.

/** Letters and digits in one word, as in the names of models and errors. */
const code =
  /(?<![\p{L}\p{N}])(?=[a-z0-9_-]*\d)(?=[a-z0-9_-]*[a-z])[a-z0-9]+(?:[-_][a-z0-9]+)*(?![\p{Script=Latin}\p{N}])/giu;
export const codesOf = (text: string): string[] => text.match(code) ?? [];

const chineseSaysNothing = longestFirst([...CHINESE_ASPECTS, ...CHINESE_FILLERS]);
const chineseFills = longestFirst(CHINESE_FILLERS);
export const chineseActs = longestFirst(CHINESE_ACTIONS);
const chineseHead = Object.entries(CHINESE_HEADS)
  .map(([character, begun]) => (begun === '' ? character : `${character}(?![${begun}])`))
  .join('|');
const chineseEdges = new RegExp(`^(?:${chineseHead})+|[${CHINESE_TAILS}]+$`, 'gu');

function longestFirst(list: readonly string[]): RegExp {
  return new RegExp([...list].sort((a, b) => b.length - a.length).join('|'), 'gu');
}

/** Returns the words that say what a question is about, in order; Chinese in runs between words without meaning of their own. */
export function topicsOf(text: string): string[] {
  return contentOf(text, chineseSaysNothing, (word) => ENGLISH_ASPECTS.has(word));
}

/** Returns the words of {@link topicsOf}, and the words that say what is asked about it: "how long", "运费". */
export function topicsAndAspectsOf(text: string): string[] {
  return contentOf(text, chineseFills, () => false);
}

function contentOf(text: string, empty: RegExp, isEmpty: (word: string) => boolean): string[] {
  const content: string[] = [];
  for (const [run, han] of text.matchAll(/(\p{sc=Han}+)|[\p{sc=Latin}\p{N}][\p{sc=Latin}\p{N}'’_-]*/gu)) {
    if (han !== undefined) {
      const runs = han.replace(empty, ' ').split(' ');
      content.push(...runs.map((piece) => piece.replace(chineseEdges, '')).filter(Boolean));
      continue;
    }
    const word = run.toLowerCase();
    const isStop = ENGLISH_STOP_WORDS.has(word) || ENGLISH_FILLERS.has(word) || isEmpty(word);
    if (!isStop && (word.length > 1 || /\d/.test(word))) content.push(run);
  }
  return content;
}
