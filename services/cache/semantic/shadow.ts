import { rename, writeFile } from 'node:fs/promises';
import { readSealed, sealFor } from '#kit/storage/encryption/sealed-file.ts';
import { extractFacts } from '#kit/text/facts/quick-facts.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { wilson } from './calibration/bounds.ts';

// A share of semantic hits is generated again and compared with the stored answer. The counts are persistent: a layer that turned itself off
// stays off until it is calibrated again.

/** What is compared of an answer. */
export interface ShadowAnswer {
  text: string;
  /** Documents that it cites. */
  documentIds: readonly string[];
  /** Whether it says that there is no evidence. */
  isRefusal: boolean;
}

/** Words that two answers must share, as F1 of their tokens, if they cite no common document. */
const leastOverlap = 0.6;
/** The same if they cite a common document: a model words an answer differently each time. */
const leastOverlapTogether = 0.25;
/** Share of the facts (numbers, dates, codes, …) of the answer with fewer that the other must have. */
const leastFacts = 0.5;

/**
 * Returns whether two answers say the same, as far as words show: both refuse; or neither does, at least half of the facts of the answer
 * with fewer are in the other, and they share a cited document and a quarter of their words, or three fifths of their words (F1 of tokens).
 * If in doubt it returns false, which counts against the layer and never causes a wrong answer.
 */
export function saysTheSame(served: ShadowAnswer, regenerated: ShadowAnswer): boolean {
  if (served.isRefusal || regenerated.isRefusal) return served.isRefusal && regenerated.isRefusal;
  const [some, more] = [extractFacts(served.text), extractFacts(regenerated.text)].sort((a, b) => a.length - b.length);
  const known = (some ?? []).filter((fact) => more?.includes(fact)).length;
  if ((some?.length ?? 0) > 0 && known < leastFacts * (some?.length ?? 0)) return false;
  const isTogether = served.documentIds.some((documentId) => regenerated.documentIds.includes(documentId));
  return overlapOf(served.text, regenerated.text) >= (isTogether ? leastOverlapTogether : leastOverlap);
}

function overlapOf(first: string, second: string): number {
  const [a, b] = [first, second].map((text) => new Set(tokenize(text, { mode: 'index' }))) as [
    Set<string>,
    Set<string>,
  ];
  if (a.size + b.size === 0) return 1;
  const both = [...a].filter((token) => b.has(token)).length;
  return (2 * both) / (a.size + b.size);
}

/** The counts of a shadow. */
export interface ShadowState {
  /** The calibration that it is of. */
  calibrationId: string;
  comparedCount: number;
  wrongCount: number;
  /** Evidence that more than the budget is wrong, in natural units; 0: none. */
  evidence: number;
  /** When the layer turned itself off; `null`: it has not. */
  offAtMs: number | null;
}

/** Counts comparisons and turns the layer off. */
export interface Shadow {
  readonly state: Readonly<ShadowState>;
  /** Returns why nothing may be served; `undefined` if the layer may serve. */
  off(): string | undefined;
  /** Counts a comparison. Returns, when it is on disk, whether it turned the layer off. */
  record(isWrong: boolean): Promise<boolean>;
  /** Returns the share of hits that were wrong, and its interval; `undefined` before the first comparison. */
  estimate(): { rate: number; low: number; high: number } | undefined;
}

/** Evidence that turns the layer off: e to this power is the least mean number of comparisons to a false alarm. */
const turnsOff = Math.log(1000);
/** The rate that the test distinguishes from the budget, in budgets. */
const distinguishedRate = 3;

/**
 * Opens the counts of a calibration. A wrong hit adds ln(p₁/p₀) to the evidence, a right one subtracts ln((1 − p₀)/(1 − p₁)), never below
 * 0, with p₀ the budget and p₁ three times it (Page 1954, "Continuous inspection schemes"). One wrong sample never suffices, seven in a row
 * always do. A layer within its budget is turned off wrongly after a thousand comparisons or more on average; one that becomes worse is
 * turned off as fast as one that always was.
 *
 * @param budget largest share of hits that may be wrong, above 0 and below 1/3
 */
export function openShadow(path: string, calibrationId: string, budget: number, clock: () => number): Shadow {
  const rate = Math.min(distinguishedRate * budget, 0.9);
  const wrongAdds = Math.log(rate / budget);
  const rightTakes = Math.log((1 - budget) / (1 - rate));
  const { state, problem } = readState(path, calibrationId);
  let writing = Promise.resolve();
  return {
    get state() {
      return state;
    },
    off() {
      if (problem !== undefined) return problem;
      if (state.offAtMs === null) return undefined;
      return `of ${state.comparedCount} hits that were generated again, ${state.wrongCount} were wrong: calibrate again`;
    },
    async record(isWrong) {
      state.comparedCount++;
      if (isWrong) state.wrongCount++;
      state.evidence = Math.max(0, state.evidence + (isWrong ? wrongAdds : -rightTakes));
      const turnedOff = state.offAtMs === null && state.evidence >= turnsOff;
      if (turnedOff) state.offAtMs = clock();
      const text = JSON.stringify(state);
      // The next write retries a failed one, because it has the whole state.
      writing = writing
        .catch(() => {})
        .then(async () => {
          await writeFile(`${path}.new`, sealFor(path, text));
          await rename(`${path}.new`, path);
        });
      await writing;
      return turnedOff;
    },
    estimate() {
      if (state.comparedCount === 0) return undefined;
      return { rate: state.wrongCount / state.comparedCount, ...wilson(state.wrongCount, state.comparedCount) };
    },
  };
}

function readState(path: string, calibrationId: string): { state: ShadowState; problem?: string } {
  const fresh = { calibrationId, comparedCount: 0, wrongCount: 0, evidence: 0, offAtMs: null };
  try {
    const read = JSON.parse(readSealed(path)) as Partial<ShadowState>;
    if (read.calibrationId !== calibrationId) return { state: fresh };
    const isWhole =
      [read.comparedCount, read.wrongCount, read.evidence].every(Number.isFinite) &&
      (read.offAtMs === null || Number.isFinite(read.offAtMs));
    if (isWhole) return { state: read as ShadowState };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { state: fresh };
  }
  // Whether the layer had turned itself off is not known.
  return { state: fresh, problem: `${path} cannot be read: calibrate again, or remove it` };
}
