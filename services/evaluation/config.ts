/** Bounds of the evaluation service. */
export interface EvaluationSettings {
  /** Questions that a data set may hold. */
  readonly maxQueries: number;
  /** Size of a data set, in bytes; a run holds it in memory. */
  readonly maxDataSetBytes: number;
  /** Questions under way at once where the request does not say. */
  readonly concurrency: number;
  /** Passages asked for at least, so that ten documents are among them where several passages share one. */
  readonly topK: number;
  /** Longest time for a question, in milliseconds. */
  readonly questionTimeoutMs: number;
  /** Runs under way at once; more are refused. */
  readonly maxRunning: number;
}

/** The settings; none of them is in the configuration yet. */
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
