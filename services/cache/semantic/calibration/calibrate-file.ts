import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { clopperPearsonHigh, wilson } from './bounds.ts';
import { type CalibrateOptions, calibrate, parsePairs } from './calibrate.ts';
import { type Calibration, calibrationFile, writeCalibration } from './calibration.ts';

/** What `npm run cache:calibrate` passes. */
export interface CalibrateFileOptions extends Omit<CalibrateOptions, 'pairs' | 'source'> {
  /** File of pairs: question, tab, question, tab, 1 (same meaning) or 0. */
  pairsFile: string;
  /** Data folder of the cache. */
  folder: string;
  /** Whether to measure only. */
  isDryRun: boolean;
}

/** The result of a calibration. */
export interface CalibrationReport {
  /** For a person. */
  lines: string[];
  /** The file that was written; `undefined` if none was. */
  written: string | undefined;
  /** Whether the budget holds on the pairs that calibration had not seen. */
  holds: boolean;
}

/** Calibrates with a file of pairs, and writes the calibration if its budget holds on the half that was held out. */
export async function calibrateFile(options: CalibrateFileOptions, signal: AbortSignal): Promise<CalibrationReport> {
  const { pairsFile, folder, isDryRun, ...rest } = options;
  const pairs = parsePairs(readFileSync(pairsFile, 'utf8'));
  const calibration = await calibrate({ ...rest, pairs, source: basename(pairsFile) }, signal);
  const { servedDifferentCount, differentCount } = calibration.heldOut;
  const holds = servedDifferentCount <= calibration.budget * differentCount;
  const path = join(folder, calibrationFile);
  const isWritten = holds && !isDryRun;
  if (isWritten) await writeCalibration(path, calibration);
  return { lines: linesOf(calibration, holds), written: isWritten ? path : undefined, holds };
}

const percent = (value: number): string => `${(value * 100).toFixed(2)} %`;
const share = (count: number, total: number): string =>
  `${count} of ${total} (${percent(total === 0 ? 0 : count / total)})`;

function linesOf(calibration: Calibration, holds: boolean): string[] {
  const { source, embedding, threshold, budget, wrongShare, calibrated, heldOut, languages } = calibration;
  const total = calibrated.sameCount + calibrated.differentCount + heldOut.sameCount + heldOut.differentCount;
  const head = [
    `${source}: ${total} pairs; languages with enough of them: ${languages.join(', ') || 'none'}`,
    `embedding model ${embedding.model}, ${embedding.dimensions} dimensions`,
  ];
  if (threshold === null) {
    return [
      ...head,
      `no threshold meets a false-hit budget of ${percent(budget)} with at most ${percent(wrongShare)} of the hits wrong:`,
      'with this model and these pairs the semantic layer serves nothing: 0 % of true pairs',
    ];
  }
  const bound = clopperPearsonHigh(calibrated.servedDifferentCount, calibrated.differentCount);
  const { low, high } = wilson(heldOut.servedDifferentCount, heldOut.differentCount);
  const served = heldOut.servedSameCount + heldOut.servedDifferentCount;
  return [
    ...head,
    `threshold ${threshold.toFixed(4)}, chosen on one half for a false-hit budget of ${percent(budget)}:`,
    `  false hits    ${share(calibrated.servedDifferentCount, calibrated.differentCount)} pairs of different meaning; upper bound ${percent(bound)}`,
    'on the other half, which was held out:',
    `  false hits    ${share(heldOut.servedDifferentCount, heldOut.differentCount)} pairs of different meaning; 95 % interval ${percent(low)} to ${percent(high)}`,
    `  true hits     ${share(heldOut.servedSameCount, heldOut.sameCount)} pairs of the same meaning`,
    `  wrong hits    ${share(heldOut.servedDifferentCount, served)} of what would be served, if both kinds of pairs are as frequent as here`,
    ...(holds ? [] : ['the budget does not hold on the other half: more pairs, or a smaller budget, are needed']),
  ];
}
