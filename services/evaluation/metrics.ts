/** A judged question with the ranking that it got. */
export interface JudgedRanking {
  /** Ids of documents, best first, none twice. */
  ranking: readonly string[];
  /** Grades of documents by id; a document that is not here has grade 0. */
  grades: ReadonlyMap<string, number>;
}

/** A metric of one question, from 0 to 1. */
export type QuestionMetric = (judged: JudgedRanking) => number;

/** nDCG@k with graded relevance, gain 2^grade − 1 (Järvelin and Kekäläinen 2002; gain as in Burges et al. 2005). */
export function ndcgAt(k: number): QuestionMetric {
  return ({ ranking, grades }) => {
    const gained = ranking.slice(0, k).map((id) => grades.get(id) ?? 0);
    const ideal = [...grades.values()].sort((a, b) => b - a).slice(0, k);
    const best = discountedGain(ideal);
    return best === 0 ? 0 : discountedGain(gained) / best;
  };
}

function discountedGain(grades: readonly number[]): number {
  return grades.reduce((sum, grade, index) => sum + (2 ** grade - 1) / Math.log2(index + 2), 0);
}

/** Share of the relevant documents (grade above 0) that are among the first k. */
export function recallAt(k: number): QuestionMetric {
  return ({ ranking, grades }) => {
    const relevantCount = [...grades.values()].filter((grade) => grade > 0).length;
    return relevantCount === 0 ? 0 : countRelevant(ranking.slice(0, k), grades) / relevantCount;
  };
}

/** 1 over the rank of the first relevant document, 0 where none is among the first k. */
export function reciprocalRankAt(k: number): QuestionMetric {
  return ({ ranking, grades }) => {
    const index = ranking.slice(0, k).findIndex((id) => (grades.get(id) ?? 0) > 0);
    return index === -1 ? 0 : 1 / (index + 1);
  };
}

/** 1 where a relevant document is among the first k, else 0. */
export function hitAt(k: number): QuestionMetric {
  return ({ ranking, grades }) => (countRelevant(ranking.slice(0, k), grades) > 0 ? 1 : 0);
}

function countRelevant(ids: readonly string[], grades: ReadonlyMap<string, number>): number {
  return ids.filter((id) => (grades.get(id) ?? 0) > 0).length;
}

/** What a run reports, in this order. */
export const reportedMetrics: ReadonlyMap<string, QuestionMetric> = new Map([
  ['nDCG@10', ndcgAt(10)],
  ['Recall@10', recallAt(10)],
  ['MRR@10', reciprocalRankAt(10)],
  ['Hit@5', hitAt(5)],
]);
