import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { invalidReply } from '#kit/http/failure.ts';

/** A score as a provider sends it, not yet believed. */
export interface RawScore {
  /** Index into the texts of the request. */
  index: unknown;
  score: unknown;
}

/** How far beyond 0 to 1 a score of that scale may be by rounding alone. */
const tolerance = 1e-4;

/**
 * The scores of a reply by the index of their text. One that is missing, repeated, of no text that was sent, not a finite number or off the
 * scale is an error, never a guess: it would put the wrong passage first in silence.
 */
export function readScores(rows: unknown, count: number, scale: ScoreScale, dependency: string): number[] {
  const broken = (problem: string) => invalidReply(dependency, problem);
  if (!Array.isArray(rows)) throw broken('it has no list of scores');
  if (rows.length !== count) throw broken(`it has ${rows.length} scores for ${count} texts`);
  const scores = new Array<number | undefined>(count);
  for (const row of rows as (RawScore | null)[]) {
    const index = row?.index;
    if (!Number.isInteger(index) || (index as number) < 0 || (index as number) >= count) {
      throw broken(`a score is of no text that was sent (index ${JSON.stringify(index)?.slice(0, 20)})`);
    }
    if (scores[index as number] !== undefined) throw broken(`text ${index} has two scores`);
    const score = row?.score;
    if (typeof score !== 'number' || !Number.isFinite(score)) throw broken(`the score of text ${index} is no number`);
    if (scale === ScoreScale.UNIT && (score < -tolerance || score > 1 + tolerance)) {
      throw broken(`the score ${score} is not between 0 and 1: check scale`);
    }
    scores[index as number] = scale === ScoreScale.UNIT ? Math.min(1, Math.max(0, score)) : score;
  }
  return scores as number[];
}
