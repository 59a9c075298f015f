import { StageSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import { hasFact } from '#kit/text/facts/judge-answer.ts';
import type { JudgedAnswer } from './judge.ts';

/** A share with its 95 % interval. */
export interface Measure {
  name: string;
  /** Number of answers or citations of which it is the share. */
  count: number;
  interval: Interval;
}

/** Returns what else answers are worth: their citations, the facts in them, and the refusals. */
export async function measureAnswers(answers: readonly JudgedAnswer[]): Promise<Measure[]> {
  const given = answers.filter(({ verdict, question }) => verdict !== 'refused' && question.facts.length > 0);
  const refused = answers.filter(isRefusal);
  const cited = given.flatMap((answer) => answer.cited.map((rank) => Number(isWitness(answer, rank))));
  const found = given.filter((answer) => answer.passages.some((_, rank) => isWitness(answer, rank)));
  const shares: [string, number[]][] = [
    ['citation precision', cited],
    ['citation recall', found.map((answer) => Number(answer.cited.some((rank) => isWitness(answer, rank))))],
    ['hard facts supported', given.map(({ isVerified }) => Number(isVerified))],
    ['refusal precision', refused.map(({ question }) => Number(question.facts.length === 0))],
    [
      'refusal recall',
      answers.filter(({ question }) => question.facts.length === 0).map((answer) => Number(isRefusal(answer))),
    ],
  ];
  return Promise.all(
    shares.map(async ([name, values]) => {
      const [interval] = await bootstrapIntervals([Float64Array.from(values)], seededRandom(1));
      return { name, count: values.length, interval: interval as Interval };
    }),
  );
}

/** A refusal of a question without an answer is "right", of any other "refused". */
function isRefusal({ verdict, question }: JudgedAnswer): boolean {
  return verdict === 'refused' || (verdict === 'right' && question.facts.length === 0);
}

/** Returns whether a passage, by its place from 0, has one of the facts of the right answer. */
function isWitness({ passages, question }: JudgedAnswer, rank: number): boolean {
  const passage = passages[rank];
  return passage !== undefined && hasFact(question, passage);
}

/** Returns the median and the 99th percentile of each stage's duration, in milliseconds. */
export function stageTimes(answers: readonly JudgedAnswer[]): { stage: string; p50: number; p99: number }[] {
  const times = Map.groupBy(
    answers.flatMap(({ stages }) => stages),
    ({ stage }) => stage,
  );
  return [...times].map(([stage, durations]) => {
    const sorted = durations.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { stage: enumName(StageSchema, stage).toLowerCase(), p50: at(0.5), p99: at(0.99) };
  });
}
