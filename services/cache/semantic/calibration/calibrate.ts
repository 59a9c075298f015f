import { createHash } from 'node:crypto';
import { featureNamesOf, featuresOf, kindOf } from '../features.ts';
import { refusalOf, type VectorKind } from '../guards/guards.ts';
import { learnWords, unsharedWordsOf } from '../guards/replacement.ts';
import { type Question, readQuestion } from '../question.ts';
import { countTerms, type Vocabulary } from '../vocabulary.ts';
import { clopperPearsonHigh } from './bounds.ts';
import type { Calibration, Outcome } from './calibration.ts';
import { fitLogistic, type LogisticModel, score } from './logistic.ts';

/** Two questions and whether they mean the same. */
export interface LabelledPair {
  first: string;
  second: string;
  isSame: boolean;
}

/** What calibration needs. */
export interface CalibrateOptions {
  pairs: readonly LabelledPair[];
  /** Name of the pairs, for the file. */
  source: string;
  /** Returns the vectors of texts, each of length 1, in their order. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>;
  /** The model of `embed`. */
  embedding: { model: string; dimensions: number };
  /** @default 0.01 */
  budget?: number;
  /** @default 0.1 */
  wrongShare?: number;
  nowMs: number;
  onProgress?(doneCount: number, totalCount: number): void;
}

/** Texts that are embedded by one call. */
const embedBatch = 256;
/** Least count of served pairs from which their share of wrong ones is used. */
const leastServed = 20;
/** Folds of the cross-validation. */
const foldCount = 5;

interface Row {
  isSame: boolean;
  isCalibrating: boolean;
  fold: number;
  language: 'zh' | 'en' | 'und';
  isPassing: boolean;
  /** Whether its score counts for the threshold. */
  isCounted: boolean;
  features: number[];
  /** By a model that did not see the pair. */
  score: number;
}

/**
 * Fits the verifier and chooses its threshold on one half of the pairs, and measures it on the other. Which half a pair falls into
 * depends on its text alone. The threshold goes down from the highest score while the exact upper bound of the false-hit rate is within the
 * budget, and stops at the first violation ("fixed sequence testing": Angelopoulos et al. 2021, "Learn then Test", so that the bound holds
 * in spite of the choice).
 */
export async function calibrate(options: CalibrateOptions, signal: AbortSignal): Promise<Calibration> {
  const { pairs, embedding, budget = 0.01, wrongShare = 0.1 } = options;
  const kind = kindOf(embedding.model);
  const vectors = await embedAll(options, signal);
  const questions = new Map<string, Question>();
  for (const text of vectors.keys()) questions.set(text, readQuestion(text));
  const hashes = pairs.map(({ first, second }) => hashOf([first, second].sort().join('\n')));
  const calibrating = new Set(
    pairs.flatMap(({ first, second }, index) => ((hashes[index] as number) % 2 === 0 ? [first, second] : [])),
  );
  const counts = countTerms([...calibrating].map((text) => questions.get(text) as Question));
  const foldOf = (hash: number) => (hash >>> 1) % foldCount;
  /** Returns what is known of words from the half without a fold. */
  const withoutFold = (fold?: number): Vocabulary => {
    const known = pairs.flatMap(({ first, second, isSame }, index) => {
      const hash = hashes[index] as number;
      if (kind === 'words' || hash % 2 !== 0 || foldOf(hash) === fold) return [];
      const [a, b] = [questions.get(first) as Question, questions.get(second) as Question];
      return [{ unshared: unsharedWordsOf(a, b).flat(), isSame }];
    });
    return { questionCount: calibrating.size, counts, words: learnWords(known) };
  };
  const vocabulary = withoutFold();
  const ofFolds = Array.from({ length: foldCount }, (_, fold) => withoutFold(fold));

  const rows = pairs.map(({ first, second, isSame }, index): Row => {
    const hash = hashes[index] as number;
    const known = hash % 2 === 0 ? (ofFolds[foldOf(hash)] as Vocabulary) : vocabulary;
    const a = questions.get(first) as Question;
    const b = questions.get(second) as Question;
    const refusal = refusalOf(a, b, known, kind);
    const [one, other] = [vectors.get(first), vectors.get(second)] as [Float32Array, Float32Array];
    return {
      isSame,
      isCalibrating: hash % 2 === 0,
      fold: foldOf(hash),
      language: a.language,
      isPassing: refusal === undefined,
      // Pairs show few names in the place of others: that these are refused must not pay for a lower threshold.
      isCounted: refusal === undefined || (kind === 'meanings' && refusal.guard === 'substitution'),
      features: featuresOf({ question: a, vector: one }, { question: b, vector: other }, vocabulary, kind),
      score: 0,
    };
  });
  const half = rows.filter(({ isCalibrating }) => isCalibrating);
  const other = rows.filter(({ isCalibrating }) => !isCalibrating);
  for (let fold = 0; fold < foldCount; fold++) {
    signal.throwIfAborted();
    const model = fit(
      half.filter((row) => row.fold !== fold),
      kind,
    );
    for (const row of half) if (row.fold === fold) row.score = score(model, row.features);
  }
  const verifier = fit(half, kind);
  for (const row of other) row.score = score(verifier, row.features);

  const different = half.filter(({ isSame }) => !isSame);
  const enough = (['zh', 'en'] as const).filter((language) => {
    const count = different.filter((row) => row.language === language).length;
    return clopperPearsonHigh(0, count) <= budget;
  });
  const served = (set: readonly Row[], covered: readonly Row['language'][]) =>
    set.filter(({ isPassing, language }) => isPassing && covered.includes(language));
  const counted = half.filter(({ isCounted, language }) => isCounted && enough.includes(language as 'zh'));
  const threshold = chooseThreshold(counted, different.length, budget, wrongShare);
  // The budget holds for each language, not only for all of them together.
  const languages = enough.filter((language) => {
    const own = different.filter((row) => row.language === language);
    const wrong = own.filter(({ isPassing, score: value }) => isPassing && threshold !== null && value >= threshold);
    return clopperPearsonHigh(wrong.length, own.length) <= budget;
  });
  const outcome = (set: readonly Row[]) => outcomeOf(set, served(set, languages), threshold);
  const calibration = {
    format: 'ragmesh-semantic-cache' as const,
    version: 2 as const,
    embedding,
    madeAtMs: options.nowMs,
    source: options.source,
    budget,
    wrongShare,
    languages,
    threshold,
    calibrated: outcome(half),
    heldOut: outcome(other),
    features: featureNamesOf(embedding),
    verifier,
    vocabulary,
  };
  const id = createHash('sha256')
    .update(JSON.stringify([calibration, [...vocabulary.counts], [...vocabulary.words]]))
    .digest('hex')
    .slice(0, 32);
  return { ...calibration, id };
}

/** Returns the pairs of a text: one on each line, two questions and 1 (same meaning) or 0, separated by tabs. Throws with the number of a bad line. */
export function parsePairs(text: string): LabelledPair[] {
  const pairs: LabelledPair[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const [first = '', second = '', label = '', ...more] = line.split('\t').map((part) => part.trim());
    // A first line may name the columns.
    if (index === 0 && !/^[01]$/.test(label)) continue;
    if (first === '' || second === '' || !/^[01]$/.test(label) || more.length > 0)
      throw new Error(`line ${index + 1} is not: question, tab, question, tab, 1 or 0`);
    pairs.push({ first, second, isSame: label === '1' });
  }
  return pairs;
}

async function embedAll(
  { pairs, embed, onProgress }: CalibrateOptions,
  signal: AbortSignal,
): Promise<Map<string, Float32Array>> {
  const texts = [...new Set(pairs.flatMap(({ first, second }) => [first, second]))];
  const vectors = new Map<string, Float32Array>();
  for (let start = 0; start < texts.length; start += embedBatch) {
    const batch = texts.slice(start, start + embedBatch);
    for (const [index, vector] of (await embed(batch, signal)).entries()) vectors.set(batch[index] as string, vector);
    onProgress?.(vectors.size, texts.length);
  }
  return vectors;
}

/** Weight of the squared weights beside the mean log loss: more for the hundreds of features of a vector. */
const ridges: Readonly<Record<VectorKind, number>> = { words: 1e-3, meanings: 0.07 };

const fit = (rows: readonly Row[], kind: VectorKind): LogisticModel =>
  fitLogistic(
    rows.map(({ features }) => features),
    rows.map(({ isSame }) => isSame),
    ridges[kind],
  );

function chooseThreshold(
  counted: readonly Row[],
  differentCount: number,
  budget: number,
  wrongShare: number,
): number | null {
  const sorted = [...counted].sort((a, b) => b.score - a.score);
  let threshold: number | null = null;
  let wrongCount = 0;
  for (const [index, row] of sorted.entries()) {
    if (!row.isSame) wrongCount++;
    const next = sorted[index + 1];
    // A score that several pairs share admits all of them or none.
    if (next !== undefined && next.score === row.score) continue;
    if (clopperPearsonHigh(wrongCount, differentCount) > budget) break;
    if (index + 1 >= leastServed && wrongCount <= wrongShare * (index + 1)) threshold = row.score;
  }
  return threshold;
}

function outcomeOf(all: readonly Row[], passing: readonly Row[], threshold: number | null): Outcome {
  const served = passing.filter((row) => threshold !== null && row.score >= threshold);
  const sameCount = all.filter(({ isSame }) => isSame).length;
  const servedSameCount = served.filter(({ isSame }) => isSame).length;
  return {
    sameCount,
    servedSameCount,
    differentCount: all.length - sameCount,
    servedDifferentCount: served.length - servedSameCount,
  };
}

/** FNV-1a over UTF-16 code units, with murmur3's finaliser. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
