import { defineAdapter } from '#kit/host/config/adapters.ts';
import { createTextBuilder } from '../../parse/blocks.ts';
import { readText } from '../../parse/decode.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';
import { parseWhole } from '../../parse/whole-document.ts';

const cueLine = /^\s*(\d+(?::\d{1,2}){1,2}[.,]\d{1,3})\s*-->\s*(\d+(?::\d{1,2}){1,2}[.,]\d{1,3})/;
/** A pause that ends a paragraph, and the length at which the next sentence begins one. */
const pauseSeconds = 3;
const paragraphLength = 400;

/** What is said at a time. */
interface Cue {
  start: number;
  end: number;
  text: string;
}

const parser: Parser = {
  mediaTypes: ['application/x-subrip', 'text/vtt'],
  endings: ['.srt', '.vtt'],
  isList: false,
  async *parse(file, bytes) {
    const { text, notes } = await readText(file, bytes);
    yield* notes;
    const cues = cuesOf(text);
    if (cues.length === 0)
      throw new UnreadableError('has no subtitles: each needs a line such as 00:01:02,000 --> 00:01:04,000');
    const builder = createTextBuilder();
    for (const paragraph of paragraphsOf(cues)) builder.add('paragraph', paragraph);
    yield* parseWhole(file, { ...builder.finish(), values: {} });
  },
};

function cuesOf(text: string): Cue[] {
  const cues: Cue[] = [];
  let open: Cue | undefined;
  for (const line of text.split('\n')) {
    const time = cueLine.exec(line);
    if (time !== null) {
      open = { start: secondsOf(time[1] as string), end: secondsOf(time[2] as string), text: '' };
      cues.push(open);
    } else if (line.trim() === '') open = undefined;
    // Outside of a cue there are numbers, comments and styles.
    else if (open !== undefined) open.text = `${open.text} ${visible(line)}`.trim();
  }
  return cues.filter((cue) => cue.text !== '');
}

function secondsOf(time: string): number {
  return time
    .replace(',', '.')
    .split(':')
    .reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Removes styles; the name of a speaker stays. */
function visible(line: string): string {
  return line
    .replace(/<v(?:\.[^\s>]*)?\s+([^>]+)>/g, '$1: ')
    .replace(/<\/?[a-z][^>]{0,100}>|\{\\[^}]{0,100}\}/gi, '')
    .trim();
}

/** Joins what is said without a pause. A cue that repeats the one before, as rolling captions do, counts once. */
function* paragraphsOf(cues: readonly Cue[]): Iterable<string> {
  let words = '';
  let last: Cue | undefined;
  for (const cue of cues) {
    const isEnded = words.length > paragraphLength && /[.!?。！？…]["'”’」』]?$/.test(words);
    if (
      words !== '' &&
      (isEnded || cue.start - (last?.end ?? cue.start) > pauseSeconds || words.length > 2 * paragraphLength)
    ) {
      yield words;
      words = '';
    }
    if (cue.text !== last?.text) words = join(words, cue.text);
    last = cue;
  }
  if (words !== '') yield words;
}

function join(before: string, after: string): string {
  const isChinese = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}，。！？；：、]$/u.test(before);
  return before === '' ? after : `${before}${isChinese ? '' : ' '}${after}`;
}

/** Reads subtitles (SubRip, WebVTT): what is said, without times, in paragraphs. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
