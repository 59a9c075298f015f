import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readSealed, sealFor } from '#kit/storage/encryption/sealed-file.ts';
import { featureNamesOf } from '../features.ts';
import type { Vocabulary } from '../vocabulary.ts';
import type { LogisticModel } from './logistic.ts';

/** The effect of a threshold on pairs that it was not fitted to. */
export interface Outcome {
  /** Pairs of the same meaning, and how many of them would be served. */
  sameCount: number;
  servedSameCount: number;
  /** Pairs of different meaning, and how many of them would be served: false hits. */
  differentCount: number;
  servedDifferentCount: number;
}

/** The result for one embedding model: the verifier, its threshold, and their effect. */
export interface Calibration {
  format: 'ragmesh-semantic-cache';
  version: 2;
  /** Hash of all of it; the counts of the shadow belong to one calibration. */
  id: string;
  /** The model of the vectors of the pairs. */
  embedding: { model: string; dimensions: number };
  madeAtMs: number;
  /** Name of the file of pairs. */
  source: string;
  /** Largest share of pairs of different meaning that may be served, as an upper bound. */
  budget: number;
  /** Largest share of what is served that may be of different meaning, as seen on the pairs. */
  wrongShare: number;
  /** Languages with enough pairs for the bound. */
  languages: readonly ('zh' | 'en')[];
  /** Lowest score that is served; `null`: nothing is. */
  threshold: number | null;
  /** On the half that chose the threshold, each pair scored by a model that was not fitted to it. */
  calibrated: Outcome;
  /** On the other half. */
  heldOut: Outcome;
  /** Names of the features, in the order of the weights. */
  features: readonly string[];
  verifier: LogisticModel;
  vocabulary: Vocabulary;
}

/** A calibration that cannot be used, and why. The service runs without it. */
export interface Refused {
  refused: string;
}

/** The calibration in the data folder of the cache; `npm run cache:calibrate` writes it, and a start reads it. */
export const calibrationFile = 'semantic-calibration.json';

/** Largest file that is read, in bytes. */
const maxBytes = 16 << 20;

/** Writes a calibration atomically: a reader sees the old file or the new one. */
export async function writeCalibration(path: string, calibration: Calibration): Promise<void> {
  const { vocabulary } = calibration;
  const [counts, words] = [Object.fromEntries(vocabulary.counts), Object.fromEntries(vocabulary.words)];
  const text = JSON.stringify({ ...calibration, vocabulary: { ...vocabulary, counts, words } });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, sealFor(path, text));
  await rename(`${path}.new`, path);
}

/** Returns the calibration of a file; `undefined` if there is no file. */
export function readCalibration(path: string): Calibration | Refused | undefined {
  let text: string;
  try {
    text = readSealed(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { refused: `${path} cannot be read: ${(error as Error).message}` };
  }
  if (text.length > maxBytes) return { refused: `${path} has more than ${maxBytes} bytes` };
  return parseCalibration(text);
}

/** Returns the calibration of a text. */
export function parseCalibration(text: string): Calibration | Refused {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    return { refused: `the calibration is not JSON: ${(error as Error).message}` };
  }
  if (value?.format !== 'ragmesh-semantic-cache' || value.version !== 2)
    return { refused: 'it is not a calibration of this version: run `npm run cache:calibrate` again' };
  const features = value.features as unknown[];
  const verifier = value.verifier as LogisticModel;
  const isComplete =
    Array.isArray(features) &&
    typeof (value.embedding as { model?: unknown })?.model === 'string' &&
    features.join() === featureNamesOf(value.embedding as Calibration['embedding']).join() &&
    [verifier?.means, verifier?.scales, verifier?.weights].every(
      (numbers) => Array.isArray(numbers) && numbers.length === features.length && numbers.every(Number.isFinite),
    ) &&
    Number.isFinite(verifier.bias) &&
    (value.threshold === null || (Number.isFinite(value.threshold) && (value.threshold as number) > 0)) &&
    Array.isArray(value.languages) &&
    [(value.vocabulary as { counts?: unknown })?.counts, (value.vocabulary as { words?: unknown })?.words].every(
      (entries) => typeof entries === 'object' && entries !== null,
    );
  if (!isComplete)
    return { refused: 'the calibration is of another version of the verifier: run `npm run cache:calibrate` again' };
  const { questionCount, counts, words } = value.vocabulary as {
    questionCount: number;
    counts: Record<string, number>;
    words: Record<string, boolean>;
  };
  return {
    ...(value as unknown as Calibration),
    vocabulary: { questionCount, counts: new Map(Object.entries(counts)), words: new Map(Object.entries(words)) },
  };
}

/** Returns why a calibration cannot be used with an embedding model; `undefined` if it can. */
export function mismatchOf(
  calibration: Calibration,
  embedding: { model: string; dimensions: number },
): string | undefined {
  const { model, dimensions } = calibration.embedding;
  if (model === embedding.model && dimensions === embedding.dimensions) return undefined;
  return `it was calibrated for ${model} (${dimensions} dimensions), and the model in use is ${embedding.model} (${embedding.dimensions})`;
}
