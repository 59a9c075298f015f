import type { ProviderEvent } from '../llm-provider.ts';
import type { ChatChunk } from './chat-completions-stream.ts';

// The chunks of a stream are alike but for their words. The frame around the words of one chunk is learned when that chunk is parsed; the
// words of later chunks in the same frame are cut out, at a tenth of the cost of parsing them. Whatever differs by a single character
// outside of the words (a reason to finish, usage, a tool call, an error, another field) is not in the frame, and is parsed.

/** Reads chunks that consist of words in a frame that it knows. */
export interface TextFrames {
  /**
   * Reads chunks from `at`, the beginning of an event in a stream of server-sent events, for as long as their frame is known. Adds their
   * words to `events`, joined, and returns the index behind them.
   */
  scan(text: string, at: number, events: ProviderEvent[]): number;
  /** Learns the frame of a chunk, the data of one event, which was parsed and contains `content` and nothing else of meaning. */
  learn(data: string, chunk: ChatChunk, content: WordsEvent): void;
}

type WordsEvent = Extract<ProviderEvent, { kind: 'text' | 'reasoning' }>;

interface Frame {
  kind: WordsEvent['kind'];
  /** From the beginning of the event to the first quote of its words. */
  head: string;
  /** From the second quote to the end of the line. */
  tail: string;
}

/** Frames that one stream may learn before any of them was of use. */
const firstCredit = 4;
/** Chunks that a frame must have read until another one is learned. A frame ends with its values, such as the second in `created`. */
const chunksForCredit = 8;

/** Longest frame, in UTF-16 units. */
const maxFrameLength = 4096;

/** Creates the frames of one stream. It knows none. */
export function createTextFrames(): TextFrames {
  const frames: Partial<Record<WordsEvent['kind'], Frame>> = {};
  let credit = firstCredit;
  return {
    scan(text, at, events) {
      let end = at;
      for (const frame of [frames.text, frames.reasoning]) {
        if (frame === undefined) continue;
        let words = '';
        for (;;) {
          const chunk = readChunk(text, end, frame);
          if (chunk === undefined) break;
          credit = Math.min(firstCredit, credit + 1 / chunksForCredit);
          words += chunk.words;
          end = chunk.end;
        }
        if (words !== '') events.push({ kind: frame.kind, text: words });
      }
      return end;
    },
    learn(data, chunk, { kind, text }) {
      // Of data in several lines the text of the stream has more than the data.
      if (credit < 1 || data.length > maxFrameLength || data.includes('\n')) return;
      credit -= 1;
      const field = fieldOf(kind, deltaOf(chunk));
      const frame = field && frameOf(data, chunk, { kind, field, text });
      if (frame !== undefined) frames[kind] = frame;
    },
  };
}

/** Reads one chunk; `undefined`: it is not in the frame, not complete, or its words are no JSON string. */
function readChunk(text: string, at: number, { head, tail }: Frame): { words: string; end: number } | undefined {
  if (!isAt(text, at, head)) return undefined;
  const from = at + head.length;
  const to = closingQuote(text, from);
  if (to === -1 || !isAt(text, to, tail)) return undefined;
  const end = behindBlankLine(text, to + tail.length);
  const words = end === -1 ? undefined : wordsOf(text.slice(from, to));
  return words === undefined ? undefined : { words, end };
}

// V8 compares a slice by words, and `startsWith` by characters, which takes three times as long.
function isAt(text: string, at: number, part: string): boolean {
  return text.slice(at, at + part.length) === part;
}

/** Returns the index of the quote that ends a JSON string whose content begins at `from`; -1: none. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (first > from && text.charCodeAt(first - 1) === backslash) first--;
    if ((at - first) % 2 === 0) return at;
  }
  return -1;
}

/** Returns the index behind the end of a line and a blank one; -1: there are none. */
function behindBlankLine(text: string, at: number): number {
  if (text.startsWith('\n\n', at)) return at + 2;
  return text.startsWith('\r\n\r\n', at) ? at + 4 : -1;
}

const backslash = 0x5c;
// Neither an escape nor a control character: JSON does not allow most of them in a string, and the others are parsed.
const plain = /^[^\\\p{Cc}]*$/u;

/** Returns the value of the content of a JSON string; `undefined`: it is none. */
function wordsOf(content: string): string | undefined {
  if (plain.test(content)) return content;
  try {
    return JSON.parse(`"${content}"`) as string;
  } catch {
    return undefined;
  }
}

/**
 * Returns the frame of a chunk whose words are `text` in `field`; `undefined`: it has none. A frame is proven: with other words in it, the
 * chunk is the same but for its words.
 */
function frameOf(
  data: string,
  chunk: ChatChunk,
  { kind, field, text }: { kind: WordsEvent['kind']; field: string; text: string },
): Frame | undefined {
  const key = new RegExp(`"${field}" ?: ?"`, 'g');
  for (let found = key.exec(data); found !== null; found = key.exec(data)) {
    const from = key.lastIndex;
    const to = closingQuote(data, from);
    if (to === -1 || wordsOf(data.slice(from, to)) !== text) continue;
    const [before, behind] = [data.slice(0, from), data.slice(to)];
    if (!isSameWith(before + probe + behind, chunk, field)) continue;
    return { kind, head: `data: ${before}`, tail: behind };
  }
  return undefined;
}

/** Returns the field of the words; `undefined`: it depends on the words of another one. */
function fieldOf(kind: WordsEvent['kind'], delta: ReturnType<typeof deltaOf>) {
  if (kind === 'text') return 'content';
  if (delta?.reasoning_content && delta.reasoning) return undefined;
  return delta?.reasoning_content ? 'reasoning_content' : 'reasoning';
}

const probe = 'other words';

function isSameWith(data: string, chunk: ChatChunk, field: string): boolean {
  const delta = deltaOf(chunk);
  const changed = JSON.stringify(chunk, (_, value: unknown) =>
    value === delta ? { ...delta, [field]: probe } : value,
  );
  try {
    return JSON.stringify(JSON.parse(data)) === changed;
  } catch {
    return false;
  }
}

function deltaOf({ choices }: ChatChunk) {
  return choices?.find(({ index }) => (index ?? 0) === 0)?.delta ?? undefined;
}
