import { detectLanguage } from '#kit/text/language.ts';
import { splitSentences } from '#kit/text/sentences.ts';
import { CHINESE_STOP_BIGRAMS, CHINESE_STOP_CHARACTERS, ENGLISH_STOP_WORDS } from '#kit/text/stop-words.ts';
import type { Chore } from './recognise.ts';

/** Longest title: words of a text with spaces, characters of one without. */
const maxTitleWords = 6;
const maxTitleCharacters = 16;
/** Most tags, and words that are looked at for them. */
const maxTags = 3;
const maxWords = 500;

/**
 * Returns the reply to a chore, in the shape that it asks for, from the words of the conversation alone: no model runs, so that no one reaches one by a
 * prompt in this form, and no document is read. What cannot be known without one is empty.
 */
export function replyTo({ kind, key, isList, said }: Chore): string {
  const [first = ''] = said;
  switch (kind) {
    case 'title':
      return shaped(key, isList ? [titleOf(first)] : titleOf(first));
    case 'tags':
      return shaped(key ?? 'tags', tagsOf(said));
    case 'follow_ups':
      return shaped(key ?? 'follow_ups', []);
    case 'queries':
      return shaped(
        key ?? 'queries',
        said.slice(-1).map((text) => text.slice(0, 400)),
      );
    case 'emoji':
      return '💬';
    case 'other':
      return key === undefined ? '' : shaped(key, isList ? [] : '');
    default:
      return kind satisfies never;
  }
}

function shaped(key: string | undefined, value: string | string[]): string {
  if (key === undefined) return typeof value === 'string' ? value : value.join(', ');
  return JSON.stringify(key === '' ? value : { [key]: value });
}

/** Returns the first words of a question as a title, without its mark. */
export function titleOf(question: string): string {
  const line = question.replaceAll(/\s+/g, ' ').trim();
  const sentence = line
    .slice(0, splitSentences(line)[0]?.end)
    .replace(/[\s.!?,;:。！？，；：…"“”]+$/u, '')
    .trim();
  if (detectLanguage(sentence) === 'zh') return [...sentence].slice(0, maxTitleCharacters).join('');
  const words = sentence.split(' ').slice(0, maxTitleWords).join(' ');
  return (
    [...words]
      .slice(0, 80)
      .join('')
      .replace(/[\s,;:]+$/u, '') || 'New Chat'
  );
}

/** Returns the words that say most, each once, in their order. */
function tagsOf(said: readonly string[]): string[] {
  const text = said.join(' ');
  const segments = new Intl.Segmenter(detectLanguage(text) === 'zh' ? 'zh' : 'en', { granularity: 'word' });
  const counts = new Map<string, number>();
  let looked = 0;
  for (const { segment, isWordLike } of segments.segment(text.slice(0, 10_000))) {
    if (++looked > maxWords * 2) break;
    const word = segment.toLowerCase();
    if (isWordLike !== true || isStopWord(word) || [...word].length < 2 || /^\d+$/.test(word)) continue;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = [...counts].sort(([, a], [, b]) => b - a).slice(0, maxTags);
  return words.length === 0
    ? ['General']
    : words.map(([word]) => word.replace(/^\p{L}/u, (letter) => letter.toUpperCase()));
}

const stopLists = [ENGLISH_STOP_WORDS, CHINESE_STOP_BIGRAMS, CHINESE_STOP_CHARACTERS];

function isStopWord(word: string): boolean {
  return stopLists.some((words) => words.has(word));
}
