/** What came out of a run. */
export interface Outcome {
  /** Test cases that ran. */
  runCount: number;
  passedCount: number;
  /** Unexpected failures, and known ones that passed. */
  failedCount: number;
  /** Failures that the list of the run names. */
  knownCount: number;
  /** Test cases that could not be run, because a program ended or did not answer. */
  skippedCount: number;
  /** What the runner says of each unexpected failure. */
  failures: string[];
}

/** Reads the output of the runner. Throws if it has no summary: then the runner ran nothing. */
export function parseOutcome(output: string): Outcome {
  const summary = /^Total cases: (\d+)\s+(\d+) passed, (\d+) failed/m.exec(output);
  if (summary === null) throw new Error(`the runner gave no summary:\n${output.trim()}`);
  const [total, passed, failed] = summary.slice(1).map(Number) as [number, number, number];
  const skippedCount = Number(/Another (\d+) could not be run/.exec(output)?.[1] ?? 0);
  return {
    runCount: total - skippedCount,
    passedCount: passed,
    failedCount: failed,
    knownCount: Number(/Another (\d+) failed as expected/.exec(output)?.[1] ?? 0),
    skippedCount,
    failures: output.match(/^FAILED: .*\n(?:\t.*\n)*/gm) ?? [],
  };
}
