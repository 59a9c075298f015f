import type { GateCheck } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { OperationTexts } from '../i18n/en.ts';

/**
 * Returns what a check found in the language of the page, a line for each finding. Reports of older versions have no kinds, and those of newer
 * ones may have others: their English sentence is shown.
 */
export function findingLines(
  { findings, finding }: GateCheck,
  texts: OperationTexts,
  figure: (value: number) => string,
): string[] {
  const words: Partial<OperationTexts['gate']['findings']> = texts.gate.findings;
  const lines = findings.map((each) => words[each.kind]?.(each, figure));
  const isKnown = lines.length > 0 && lines.every((line) => line !== undefined);
  return isKnown ? lines : [finding].filter((line) => line !== '');
}
