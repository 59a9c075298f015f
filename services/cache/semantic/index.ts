import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { calibrationFile, readCalibration } from './calibration/calibration.ts';
import { createSemanticLayer, type SemanticLayer, type SemanticLayerParts } from './layer.ts';
import type { SemanticStore } from './semantic-store.ts';
import { openShadow } from './shadow.ts';

export { type CalibrateFileOptions, type CalibrationReport, calibrateFile } from './calibration/calibrate-file.ts';
export type { Considered, SemanticFound, SemanticLayer, SemanticQuery, SemanticStats } from './layer.ts';

const shadowFile = 'semantic-shadow.json';

/** What the layer needs to open. */
export interface OpenSemanticLayer
  extends Pick<SemanticLayerParts, 'embed' | 'shadowShare' | 'timeoutMs' | 'clock' | 'random' | 'log' | 'metrics'> {
  /** Data folder of the cache; exists. */
  folder: string;
  /** Opens the store for vectors of the calibrated model. */
  openStore(embedding: { model: string; dimensions: number }): Promise<SemanticStore>;
  /** Largest share of compared hits that may be wrong. @default 0.05 */
  shadowBudget?: number;
}

/** Why there is no layer, and whether there is a calibration. */
interface SemanticOff {
  layer?: undefined;
  off: string;
  isCalibrated: boolean;
}

/**
 * Opens the semantic layer with the calibration of the data folder. `off` says why there is none: not calibrated, or a calibration that cannot be
 * used. Nothing is opened then. Throws what `openStore` throws.
 */
export async function openSemanticLayer(
  options: OpenSemanticLayer,
): Promise<{ layer: SemanticLayer; off?: undefined; isCalibrated: true } | SemanticOff> {
  const { folder, openStore, shadowBudget = 0.05, ...parts } = options;
  mkdirSync(folder, { recursive: true });
  const calibration = readCalibration(join(folder, calibrationFile));
  if (calibration === undefined) {
    return { off: 'not calibrated: npm run cache:calibrate -- <pairs.tsv>', isCalibrated: false };
  }
  if ('refused' in calibration) return { off: calibration.refused, isCalibrated: true };
  if (calibration.threshold === null) {
    return { off: 'the calibration found no threshold within its budget', isCalibrated: true };
  }
  const shadow = openShadow(join(folder, shadowFile), calibration.id, shadowBudget, parts.clock);
  const store = await openStore(calibration.embedding);
  return { layer: createSemanticLayer({ ...parts, store, calibration, shadow }), isCalibrated: true };
}
