import { foldTraditional } from '#kit/text/han-variants.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { CHINESE_STOP_BIGRAMS, CHINESE_STOP_CHARACTERS } from '#kit/text/stop-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Changes with anything below that changes a vector: vectors of different versions must never meet in an index. */
export const hashingVersion = 2;

const HAN = /\p{sc=Han}/gu;
const LONG_STEM = /^[a-z]{4,}$/;
const GRAM_LENGTH = 4;
/** Weight of a part (one Han character, four letters of a stem) beside 1 for a whole token. */
const PART_WEIGHT = 0.3;

/**
 * The vector of a text by signed feature hashing (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
 * Learning"), written to `into`, whose length is the number of dimensions. Features: tokens of the keyword leg without
 * Chinese stop words, single Han characters, and 4-grams of English stems, so that near forms of a word share a part. Each
 * weighs 1 + ln(count); no idf, so a vector depends on its text alone. The result has length 1, or is all zeros.
 */
export function hashText(text: string, into: Float32Array): void {
  const whole = new Map<string, number>();
  const parts = new Map<string, number>();
  for (const token of tokenize(text, { mode: 'index' })) {
    if (CHINESE_STOP_BIGRAMS.has(token) || CHINESE_STOP_CHARACTERS.has(token)) continue;
    whole.set(token, (whole.get(token) ?? 0) + 1);
    if (LONG_STEM.test(token)) countGrams(token, parts);
  }
  for (const character of normalizeText(text, foldTraditional).match(HAN) ?? []) {
    if (!CHINESE_STOP_CHARACTERS.has(character)) count(`u${character}`, parts);
  }
  into.fill(0);
  addFeatures(whole, 1, into);
  addFeatures(parts, PART_WEIGHT, into);
  normalise(into);
}

function count(feature: string, counts: Map<string, number>): void {
  counts.set(feature, (counts.get(feature) ?? 0) + 1);
}

function countGrams(stem: string, counts: Map<string, number>): void {
  const framed = `^${stem}$`;
  for (let start = 0; start + GRAM_LENGTH <= framed.length; start++) {
    count(`g${framed.slice(start, start + GRAM_LENGTH)}`, counts);
  }
}

function addFeatures(counts: ReadonlyMap<string, number>, weight: number, into: Float32Array): void {
  for (const [feature, occurrences] of counts) {
    const hash = hash32(feature);
    const index = (hash >>> 1) % into.length;
    const value = weight * (1 + Math.log(occurrences));
    into[index] = (into[index] as number) + (hash & 1 ? value : -value);
  }
}

function normalise(vector: Float32Array): void {
  let squares = 0;
  for (const value of vector) squares += value * value;
  if (squares === 0) return;
  const scale = 1 / Math.sqrt(squares);
  for (let index = 0; index < vector.length; index++) vector[index] = (vector[index] as number) * scale;
}

/** FNV-1a over UTF-16 code units, then murmur3's finaliser, without which the low bits of near words go together. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
