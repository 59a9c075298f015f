import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import { CommandError } from '../../command.ts';
import type { JudgedAnswer } from './judge.ts';

/** Verdicts of an earlier run: for each subject one letter a question, in the order of its file. */
export interface AnswerBaseline {
  subjects: Record<string, string>;
}

/** What changed since the baseline, in the share of right answers. */
export interface AnswerChange {
  change: Interval;
  /** The whole interval is below 0. */
  isSignificantDrop: boolean;
  /** Questions that the baseline does not have: those of a new file, or at the end of one. They are not compared. */
  newCount: number;
}

/** Returns the verdicts of a run, small enough to be committed: r(ight), p(artly), w(rong), x (refused). */
export function toAnswerBaseline(answers: readonly JudgedAnswer[]): AnswerBaseline {
  const subjects: Record<string, string> = {};
  for (const { set, question, verdict } of answers) {
    const subject = `${set}/${question.subject}`;
    subjects[subject] = (subjects[subject] ?? '') + (verdict === 'refused' ? 'x' : verdict[0]);
  }
  return { subjects };
}

/** Compares a run with the baseline, question by question. Throws CommandError if the run lacks questions of a subject, or has only new ones. */
export async function compareAnswers(answers: readonly JudgedAnswer[], before: AnswerBaseline): Promise<AnswerChange> {
  const now = toAnswerBaseline(answers).subjects;
  const differences: number[] = [];
  for (const [subject, verdicts] of Object.entries(now)) {
    const earlier = before.subjects[subject] ?? '';
    if (earlier.length > verdicts.length) {
      throw new CommandError(
        `the baseline has ${earlier.length} questions of ${subject}, the run ${verdicts.length}: write it again (--write-baseline)`,
      );
    }
    for (const [index, verdict] of [...earlier].entries()) {
      differences.push(Number(verdicts[index] === 'r') - Number(verdict === 'r'));
    }
  }
  if (differences.length === 0) {
    throw new CommandError('the baseline has none of these questions: write it again (--write-baseline)');
  }
  const [change] = (await bootstrapIntervals([Float64Array.from(differences)], seededRandom(1))) as [Interval];
  return { change, isSignificantDrop: change.high < 0, newCount: answers.length - differences.length };
}
