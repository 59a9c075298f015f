/** How well documents answer a question: grade by document id. A document without an entry has grade 0. */
export type Grades = ReadonlyMap<string, number>;

/** A metric of one question, 0 to 1. `ranking`: ids of documents, best first, none twice. */
export type QuestionMetric = (ranking: readonly string[], grades: Grades) => number;

/** Returns the documents in the order of their best passage, each once. */
export function documentsOf(passages: readonly { documentId: string }[]): string[] {
  return [...new Set(passages.map(({ documentId }) => documentId))];
}

/** Returns whether a question can be scored, which needs a document that answers it. */
export function isJudged(judgements: readonly { grade: number }[]): boolean {
  return judgements.some(({ grade }) => grade > 0);
}

/**
 * Returns nDCG@k (Järvelin and Kekäläinen 2002): a document counts its grade, divided by log2(rank + 1), relative to the best
 * possible order of all judged documents. Gains are linear as in trec_eval, so figures compare with those of BEIR and MTEB.
 */
export function ndcgAt(k: number): QuestionMetric {
  return (ranking, grades) => {
    const ideal = discounted([...grades.values()].sort((a, b) => b - a).slice(0, k));
    return ideal === 0 ? 0 : discounted(ranking.slice(0, k).map((id) => grades.get(id) ?? 0)) / ideal;
  };
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, index) => sum + gain / Math.log2(index + 2), 0);
}

/** Returns Recall@k: the share of the documents with a grade above 0 that are among the first k. */
export function recallAt(k: number): QuestionMetric {
  return (ranking, grades) => {
    const relevantCount = [...grades.values()].filter((grade) => grade > 0).length;
    return relevantCount === 0 ? 0 : ranking.slice(0, k).filter(isRelevant(grades)).length / relevantCount;
  };
}

/** Returns MRR@k: 1 over the rank of the first document with a grade above 0; 0 if none is among the first k. */
export function reciprocalRankAt(k: number): QuestionMetric {
  return (ranking, grades) => {
    const index = ranking.slice(0, k).findIndex(isRelevant(grades));
    return index === -1 ? 0 : 1 / (index + 1);
  };
}

/** Returns Hit@k: 1 if a document with a grade above 0 is among the first k, else 0. */
export function hitAt(k: number): QuestionMetric {
  return (ranking, grades) => (ranking.slice(0, k).some(isRelevant(grades)) ? 1 : 0);
}

function isRelevant(grades: Grades): (id: string) => boolean {
  return (id) => (grades.get(id) ?? 0) > 0;
}

/** The metrics that a run reports, in this order. */
export const reportedMetrics: readonly { name: string; metric: QuestionMetric }[] = [
  { name: 'nDCG@10', metric: ndcgAt(10) },
  { name: 'Recall@10', metric: recallAt(10) },
  { name: 'MRR@10', metric: reciprocalRankAt(10) },
  { name: 'Hit@5', metric: hitAt(5) },
];

/** Returns the percentile of sorted values at `share` (0 to 1), by nearest rank; 0 without values. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
