import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import type { ClaimSet, JudgedClaim } from './sets.ts';

/** Compares a claim with its source. */
export type VerifyClaim = (
  claim: string,
  source: string,
) => {
  /** How much of it the source supports, 0 to 1; `undefined` if it was not measured. */
  score: number | undefined;
  /** Whether a number, date, code or address of it is not in the source. */
  isNumberAlarm: boolean;
};

/** The figures of one set. */
export interface VerifierFigures {
  claimCount: number;
  /** Chance that a supported claim has a higher score than one that is not; ties count half. */
  auc: Interval;
  /** Share of the supported claims with a number alarm. */
  falseAlarms: number;
  /** Share of the other claims with one. */
  foundAlarms: number;
  /** CPU time of a claim, in microseconds. */
  cpuUs: number;
}

interface Scored extends JudgedClaim {
  score: number;
  isNumberAlarm: boolean;
}

/** Measures a verifier on a set. */
export async function measureVerifier({ claims }: ClaimSet, verify: VerifyClaim): Promise<VerifierFigures> {
  const before = process.cpuUsage();
  const scored = claims.map((claim): Scored => {
    const { score = 0.5, isNumberAlarm } = verify(claim.claim, claim.source);
    return { ...claim, score, isNumberAlarm };
  });
  const { user, system } = process.cpuUsage(before);
  const supported = scored.filter(({ isSupported }) => isSupported);
  const others = scored.filter(({ isSupported }) => !isSupported);
  return {
    claimCount: claims.length,
    auc: await aucOf(supported, others),
    falseAlarms: shareOf(supported),
    foundAlarms: shareOf(others),
    cpuUs: (user + system) / claims.length,
  };
}

const shareOf = (claims: readonly Scored[]): number =>
  claims.filter(({ isNumberAlarm }) => isNumberAlarm).length / Math.max(1, claims.length);

/** The area under the ROC curve as a mean over the supported claims: of each, the share of the other claims that it beats. */
async function aucOf(supported: readonly Scored[], others: readonly Scored[]): Promise<Interval> {
  const sorted = others.map(({ score }) => score).sort((a, b) => a - b);
  const beaten = supported.map(({ score }) => (countBelow(sorted, score) + countBelow(sorted, score, true)) / 2);
  // Claims of one document are not independent: its mean is drawn as a whole.
  const byDocument = [
    ...Map.groupBy(
      supported.map(({ document }, index) => ({ document, index })),
      ({ document }) => document,
    ).values(),
  ];
  const documents = byDocument.map(
    (group) =>
      group.reduce((sum, { index }) => sum + (beaten[index] ?? 0), 0) / group.length / Math.max(1, sorted.length),
  );
  const [spread] = (await bootstrapIntervals([Float64Array.from(documents)], seededRandom(1))) as [Interval];
  const mean = beaten.reduce((sum, value) => sum + value, 0) / Math.max(1, beaten.length) / Math.max(1, sorted.length);
  return { mean, low: mean - (spread.mean - spread.low), high: mean + (spread.high - spread.mean) };
}

/** How many values are below a limit, or not above it. */
function countBelow(sorted: readonly number[], limit: number, orEqual = false): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = sorted[middle] ?? 0;
    if (value < limit || (orEqual && value === limit)) low = middle + 1;
    else high = middle;
  }
  return low;
}
