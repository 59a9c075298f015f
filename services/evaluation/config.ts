/** Bounds of the evaluation service. */
export interface EvaluationSettings {
  /** Most questions of a data set. */
  readonly maxQueries: number;
  /** Largest data set in bytes; a run holds it in memory. */
  readonly maxDataSetBytes: number;
  /** Questions in flight at the same time if the request names no number. */
  readonly concurrency: number;
  /** Fewest passages to ask for, so that ten documents are among them although passages share documents. */
  readonly topK: number;
  /** Longest time for a question, in milliseconds. */
  readonly questionTimeoutMs: number;
  /** Most concurrent runs; more are refused. */
  readonly maxRunning: number;
}

/** Returns the settings; none of them is in the configuration. */
export function readConfig(): EvaluationSettings {
  return Object.freeze({
    maxQueries: 50_000,
    maxDataSetBytes: 64 << 20,
    concurrency: 4,
    topK: 30,
    questionTimeoutMs: 5_000,
    maxRunning: 4,
  });
}
