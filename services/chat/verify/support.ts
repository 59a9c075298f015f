import { stemmer } from 'stemmer';
import { foldTraditional } from '#kit/text/han-variants.ts';
import { detectLanguage } from '#kit/text/language.ts';
import { normalizeText } from '#kit/text/normalize.ts';
import { ENGLISH_STOP_WORDS } from '#kit/text/stop-words.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { lazy, type ReadPassage } from './passage.ts';

/** Fewer words than this can be about anything: they are not scored. */
const minWords = 2;
/** A longer run of units that the passages lack weighs no more. */
const maxRun = 8;
/** How much each unit of the longest such run takes away. */
const runPenalty = 0.1;

/** Words of passages, in the two forms that a claim is compared with. */
interface SourceWords {
  /** Weight of a word: ln(1 + sentences / sentences that have it). */
  weightOf(word: string): number;
  has(word: string): boolean;
  units: ReadonlySet<string>;
  /** Adjacent units, with a space between. */
  pairs: ReadonlySet<string>;
}

/**
 * Returns how much of a claim its passages support, 0 to 1: the mean of two shares. One is the share of its words that the passages have,
 * weighed by how rare they are there (zh: bigrams, en: stems). The other is the share of its units (zh: characters, en: stems) that occur
 * there beside the same neighbour; a unit that occurs alone counts half. The longest run that the passages lack lowers both. Returns
 * `undefined` if it cannot be measured: too few words, or another language than that of every passage.
 */
export function supportOf(claim: string, passages: readonly ReadPassage[]): number | undefined {
  const normal = normalizeText(claim, foldTraditional);
  const words = [...new Set(tokenize(normal, { mode: 'query' }))];
  const language = detectLanguage(normal);
  const comparable = passages.filter((passage) => detectLanguage(passage.text()) === language);
  if (words.length < minWords || comparable.length === 0) return undefined;
  const sources = comparable.map(wordsOf);
  let weight = 0;
  let heldWeight = 0;
  for (const word of words) {
    const wordWeight = Math.max(...sources.map((source) => source.weightOf(word)));
    weight += wordWeight;
    if (sources.some((source) => source.has(word))) heldWeight += wordWeight;
  }
  const { share, longestMissing } = coverOf(runsOf(normal), sources);
  return (heldWeight / weight + share) / 2 / (1 + runPenalty * Math.min(longestMissing, maxRun));
}

const known = new WeakMap<ReadPassage, () => SourceWords>();

function wordsOf(passage: ReadPassage): SourceWords {
  let words = known.get(passage);
  if (words === undefined) {
    words = lazy(() => readWords(passage));
    known.set(passage, words);
  }
  return words();
}

function readWords(passage: ReadPassage): SourceWords {
  const sentences = passage.sentences().map(({ text }) => new Set(tokenize(text, { mode: 'index' })));
  const counts = new Map<string, number>();
  for (const sentence of sentences) for (const word of sentence) counts.set(word, (counts.get(word) ?? 0) + 1);
  const units = new Set<string>();
  const pairs = new Set<string>();
  for (const run of runsOf(passage.text())) {
    for (const [index, unit] of run.entries()) {
      units.add(unit);
      if (index > 0) pairs.add(`${run[index - 1]} ${unit}`);
    }
  }
  return {
    weightOf: (word) => Math.log(1 + (sentences.length + 1) / ((counts.get(word) ?? 0) + 1)),
    has: (word) => counts.has(word),
    units,
    pairs,
  };
}

function coverOf(runs: readonly string[][], sources: readonly SourceWords[]) {
  let unitCount = 0;
  let held = 0;
  let longestMissing = 0;
  for (const run of runs) {
    let missing = 0;
    for (const [index, unit] of run.entries()) {
      unitCount++;
      const has = (pair: string) => sources.some(({ pairs }) => pairs.has(pair));
      const isBeside =
        (index > 0 && has(`${run[index - 1]} ${unit}`)) || (index + 1 < run.length && has(`${unit} ${run[index + 1]}`));
      const isThere = isBeside || sources.some(({ units }) => units.has(unit));
      if (isBeside || (isThere && run.length === 1)) held += 1;
      else if (isThere) held += 0.5;
      // A character by itself is in most texts, a word is not.
      missing = isBeside || (isThere && (run.length === 1 || /[a-z]/.test(unit))) ? 0 : missing + 1;
      longestMissing = Math.max(longestMissing, missing);
    }
  }
  return { share: unitCount === 0 ? 0 : held / unitCount, longestMissing };
}

/** Returns the units of a text in normal form in their order; a sign interrupts Chinese, and a change of script interrupts a run. */
function runsOf(text: string): string[][] {
  const runs: string[][] = [];
  let run: string[] = [];
  let isLatin = false;
  const end = () => {
    if (run.length > 0) runs.push(run);
    run = [];
  };
  for (const piece of text.split(/[^\p{L}\p{N}.%'-]+/u)) {
    if (!isLatin) end();
    for (const unit of piece.match(/\p{sc=Han}|[^\p{sc=Han}]+/gu) ?? []) {
      if (ENGLISH_STOP_WORDS.has(unit)) continue;
      const nowLatin = /[a-z]/.test(unit);
      if (nowLatin !== isLatin && !/^\d/.test(unit)) end();
      isLatin = nowLatin;
      run.push(/^[a-z]+$/.test(unit) ? stemmer(unit) : unit);
    }
  }
  end();
  return runs;
}
