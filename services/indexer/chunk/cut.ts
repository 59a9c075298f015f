import { splitSentences } from '#kit/text/sentences.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import type { MeasuredBlock, Section } from './sections.ts';

/** How chunks are made. */
export interface ChunkOptions {
  /** Target length, in estimated tokens. */
  targetTokens: number;
  /** Length that a chunk repeats of the one before, if a section had to be cut, in estimated tokens. */
  overlapTokens: number;
}

/** A range of the text, in UTF-16 code units. */
export interface Range {
  start: number;
  end: number;
}

/** The smallest piece that cutting moves: a block, a sentence of a block, or a part of a sentence. */
interface Unit extends Range {
  tokens: number;
  /** Whether it must stay with what follows: a heading, or a line that ends in a colon. */
  leadsIn: boolean;
  /** Whether the next chunk may repeat it. Prose gives context; a table row or a line of code does not. */
  isProse: boolean;
}

/** A section up to this multiple of the target stays whole: two halves would each be harder to find. */
const tolerance = 1.2;
/** Largest share of a chunk that moves to the next chunk with what it introduces. */
const leadInShare = 0.25;

/** Returns the ranges of the section that become chunks, in order. Together they cover the section. */
export function cutSection(text: string, section: Section, options: ChunkOptions): Range[] {
  const { targetTokens } = options;
  const limit = targetTokens * tolerance;
  if (section.tokens <= limit) return [hull(section.blocks)];
  const units = section.blocks.flatMap((block) => unitsOf(text, block, targetTokens));
  const parts = pack(units, targetTokens, limit);
  return parts.map((part, index) => {
    const before = parts[index - 1];
    const range = hull(part);
    return before === undefined ? range : { ...range, start: overlapStart(text, before, range.start, options) };
  });
}

/** Groups units into parts of similar length: a last chunk of three words would never be found. */
function pack(units: readonly Unit[], targetTokens: number, limit: number): Unit[][] {
  const parts: Unit[][] = [];
  let part: Unit[] = [];
  let tokens = 0;
  let leftTokens = units.reduce((sum, unit) => sum + unit.tokens, 0);
  const aimOf = () => leftTokens / Math.ceil(leftTokens / targetTokens);
  let aim = aimOf();
  for (const unit of units) {
    const isFull = tokens + unit.tokens > limit || tokens + unit.tokens / 2 > aim;
    if (part.length > 0 && isFull) {
      const moved = takeLeadIn(part, limit * leadInShare);
      const movedTokens = moved.reduce((sum, { tokens }) => sum + tokens, 0);
      parts.push(part);
      leftTokens -= tokens - movedTokens;
      aim = aimOf();
      part = moved;
      tokens = movedTokens;
    }
    part.push(unit);
    tokens += unit.tokens;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

/** Removes and returns the units at the end that must stay with what follows: never all of them, and at most `maxTokens`. */
function takeLeadIn(part: Unit[], maxTokens: number): Unit[] {
  let kept = part.length;
  let tokens = 0;
  while (kept > 1 && part[kept - 1]?.leadsIn === true) {
    tokens += part[kept - 1]?.tokens ?? 0;
    if (tokens > maxTokens) break;
    kept--;
  }
  return part.splice(kept);
}

/** Returns the start of the chunk after `before`, so that the chunk repeats its last sentences. */
function overlapStart(text: string, before: readonly Unit[], start: number, { overlapTokens }: ChunkOptions): number {
  let from = start;
  let left = overlapTokens;
  // The first unit is not repeated whole, so that a chunk always begins after the one before it.
  for (let index = before.length - 1; index >= 0 && left > 0; index--) {
    const unit = before[index] as Unit;
    if (!unit.isProse) return from;
    const sentences = splitSentences(text.slice(unit.start, unit.end));
    for (let at = sentences.length - 1; at >= (index === 0 ? 1 : 0); at--) {
      const sentence = sentences[at] as Range;
      left -= estimateTokens(text.slice(unit.start + sentence.start, unit.start + sentence.end));
      if (left < 0) return from;
      from = unit.start + sentence.start;
    }
  }
  return from;
}

function unitsOf(text: string, block: MeasuredBlock, targetTokens: number): Unit[] {
  const isProse = block.kind === 'paragraph' || block.kind === 'list-item';
  if (block.tokens <= targetTokens) {
    const leadsIn = block.kind === 'heading' || (isProse && /[:：]\s*$/.test(text.slice(block.end - 1, block.end)));
    return [{ start: block.start, end: block.end, tokens: block.tokens, leadsIn, isProse }];
  }
  const body = text.slice(block.start, block.end);
  return splitSentences(body).flatMap(({ start, end }) =>
    piecesOf(text, block.start + start, block.start + end, targetTokens).map((piece) => ({
      ...piece,
      leadsIn: false,
      isProse,
    })),
  );
}

/** Splits a range into parts of at most `maxTokens`: between words if possible, never inside a character. */
function piecesOf(text: string, start: number, end: number, maxTokens: number): (Range & { tokens: number })[] {
  const pieces: (Range & { tokens: number })[] = [];
  for (let from = start; from < end; ) {
    const to = pieceEnd(text, from, end, maxTokens);
    const piece = text.slice(from, to);
    const lead = piece.length - piece.trimStart().length;
    const length = piece.trim().length;
    if (length > 0) {
      const range = { start: from + lead, end: from + lead + length };
      pieces.push({ ...range, tokens: estimateTokens(text.slice(range.start, range.end)) });
    }
    from = to;
  }
  return pieces;
}

function pieceEnd(text: string, start: number, end: number, maxTokens: number): number {
  // Except for long words, a token has at most 12 characters. The window bounds the work on a line of megabytes.
  let length = Math.min(end - start, maxTokens * 12);
  for (let tries = 0; tries < 40; tries++) {
    const tokens = estimateTokens(text.slice(start, start + length));
    if (tokens <= maxTokens) break;
    length = Math.max(1, Math.floor((length * maxTokens * 0.98) / tokens));
    if (length === 1) break;
  }
  if (start + length >= end) return end;
  const window = text.slice(start, start + length);
  const space = window.search(/\s\S*$/);
  return wholeCharacterEnd(text, space > length * 0.6 ? start + space + 1 : start + length, start);
}

/** Returns the nearest end at or after `at` that splits no surrogate pair and separates no mark or joiner from its letter. */
function wholeCharacterEnd(text: string, at: number, start: number): number {
  let end = Math.max(at, start + 1);
  for (let steps = 0; steps < 64 && end < text.length; steps++) {
    const isJoined = /^[\p{M}\u200D]/u.test(text.slice(end, end + 2)) || text[end - 1] === '\u200D';
    if (!isJoined && !splitsPair(text, end)) break;
    end++;
  }
  return splitsPair(text, end) ? end + 1 : end;
}

function splitsPair(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00 && (text.charCodeAt(at - 1) & 0xfc00) === 0xd800;
}

function hull(ranges: readonly Range[]): Range {
  return { start: ranges[0]?.start ?? 0, end: ranges.at(-1)?.end ?? 0 };
}
