/** Settings of evaluation: it has none that anybody needs to change, only bounds. */
export interface EvaluationSettings {
  /** Questions that a data set may hold. */
  maxQueries: number;
  /** Questions under way at once where the request does not say. */
  concurrency: number;
  /** Passages asked for, so that ten documents are among them even where several passages share one. */
  passages: number;
}

/** The settings. */
export function evaluationSettings(): EvaluationSettings {
  return Object.freeze({ maxQueries: 200_000, concurrency: 4, passages: 30 });
}
