import { stemmer } from 'stemmer';
import { foldTraditional } from './han-variants.ts';
import { type FoldHan, normalizeText } from './normalize.ts';
import { CHINESE_STOP_BIGRAMS, CHINESE_STOP_CHARACTERS, ENGLISH_STOP_WORDS } from './stop-words.ts';

/** A token longer than this (UTF-16 code units) is cut: it is a key, a hash or an attack, never a word. */
export const TOKEN_LENGTH_MAX = 64;

/** A compound longer than this (UTF-16 code units) is found by its parts only. */
const COMPOUND_LENGTH_MAX = 256;

export interface TokenizeOptions {
  /** Both give every occurrence, in order: a word that a long question repeats weighs more. `query` leaves out Chinese question words. */
  mode: 'index' | 'query';
  /** As in {@link normalizeText}. @default traditional characters become simplified ones */
  foldHan?: FoldHan;
}

// Letters and digits: radicals such as ⺀ are signs.
const CJK = String.raw`[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}ー]&&[\p{L}\p{M}\p{N}]`;
const WORD_CHARACTER = String.raw`[[\p{L}\p{M}\p{N}]--[${CJK}]]`;
const THOUSANDS_COMMA = String.raw`(?<=\d),(?=\d{3}(?!\d))`;
const JOINERS = String.raw`[\-._@\/:\&+=?#~]{1,3}(?=[a-z0-9])`;
/** `50%`, `c++`, `c#` */
const ENDING_SIGN = String.raw`(?<=\d)%|(?<![a-z0-9][a-z])(?:\+\+|#)`;
/**
 * Group 1: a run of CJK letters. Otherwise a chunk: letters and digits that joiners hold together without a space
 * (`ppr-9087`, `v2.1.3`, `a@b.com`, `1,299.00`), with the sign that belongs to it.
 */
const PIECE = new RegExp(`([${CJK}]+)|(?:${WORD_CHARACTER}|${THOUSANDS_COMMA}|${JOINERS})+(?:${ENDING_SIGN})?`, 'gv');
const PART = /\p{N}+(?:\.\p{N}+)*|[\p{L}\p{M}]+/gu;
const LETTERS_ONLY = /^[a-z]+$/;

/**
 * The tokens of the keyword leg: Chinese as character bigrams (a run of one character as itself), English as Porter stems
 * without stop words, and mixed tokens both whole and by part: `iPhone15` gives iphone15, iphon, 15; `7天` gives 7, 7天, 天.
 * A whole ignores how its parts are joined (`PPR-9087`, `ppr_9087` and `PPR9087` are one token) except between digits.
 * Tokens hold letters, marks, digits and `.-%+#` only: see {@link FTS5_TOKENIZE}.
 */
export function tokenize(text: string, { mode, foldHan = foldTraditional }: TokenizeOptions): string[] {
  const tokens: string[] = [];
  let chunkEnd = -1;
  let chunkNumber = '';
  for (const match of normalizeText(text, foldHan).matchAll(PIECE)) {
    const [piece, han] = match;
    if (han !== undefined) {
      const characters = [...han];
      if (match.index === chunkEnd && chunkNumber !== '') tokens.push(chunkNumber + characters[0]);
      pushBigrams(characters, tokens);
      continue;
    }
    chunkEnd = match.index + piece.length;
    chunkNumber = /\p{N}{1,12}$/u.exec(piece)?.[0] ?? '';
    pushChunk(piece, tokens);
  }
  return mode === 'index' ? tokens : searchable(tokens);
}

function pushBigrams(characters: readonly string[], into: string[]): void {
  if (characters.length === 1) into.push(characters[0] as string);
  for (let index = 1; index < characters.length; index += 1) into.push(`${characters[index - 1]}${characters[index]}`);
}

function pushChunk(chunk: string, into: string[]): void {
  if (LETTERS_ONLY.test(chunk)) {
    pushWord(chunk, into);
    return;
  }
  const plain = chunk.replaceAll(',', '').replace(/(?<=^\d+)\.00$/, '');
  const parts = plain.match(PART) ?? [];
  const isCompound = parts.length > 1 || /[%+#]$/.test(plain);
  const whole = isCompound && plain.length <= COMPOUND_LENGTH_MAX ? joinWhole(plain) : undefined;
  if (whole !== undefined && whole.length <= TOKEN_LENGTH_MAX) into.push(whole);
  for (const part of parts) {
    // The `v` of v2.1.3 or the `e` of E-07 says nothing by itself.
    if (part.length > 1 || whole === undefined || /\p{N}/u.test(part)) pushWord(part, into);
  }
}

/** `2026/11/22` and `2026-11-22` are one; `2.13` and `21.3` stay two; every other joiner falls away. */
function joinWhole(chunk: string): string {
  return chunk
    .replace(/(?<=\p{N})[^\p{L}\p{M}\p{N}.]+(?=\p{N})/gu, '-')
    .replace(/(?<!\p{N})\.|\.(?!\p{N})|(?<!\p{N})-|-(?!\p{N})|[_@/:&=?~]|[+#](?=.*[\p{L}\p{N}])/gu, '');
}

function pushWord(word: string, into: string[]): void {
  if (ENGLISH_STOP_WORDS.has(word)) return;
  const cut = word.slice(0, TOKEN_LENGTH_MAX).toWellFormed();
  into.push(LETTERS_ONLY.test(cut) ? stemmer(cut) : foldMarks(cut));
}

/** café → cafe; other scripts keep their marks, which carry meaning there. */
function foldMarks(word: string): string {
  return /\p{sc=Latin}/u.test(word) ? word.normalize('NFD').replace(/\p{M}/gu, '') : word;
}

function searchable(tokens: readonly string[]): string[] {
  const telling = tokens.filter((token) => !CHINESE_STOP_BIGRAMS.has(token) && !CHINESE_STOP_CHARACTERS.has(token));
  return telling.length > 0 ? telling : [...tokens];
}
