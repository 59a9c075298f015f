import { bootstrapIntervals, seededRandom } from '#kit/statistics/bootstrap.ts';
import type { Verdict } from '#kit/text/facts/judge-answer.ts';
import type { AnswerChange } from './baseline.ts';
import type { JudgedAnswer } from './judge.ts';
import { measureAnswers, stageTimes } from './measures.ts';

const verdicts: readonly Verdict[] = ['right', 'partly', 'wrong', 'refused'];

/** Returns the counts of verdicts as tables: by language with intervals, by kind and by set; and if wanted, what is not right. */
export async function describeAnswers(
  answers: readonly JudgedAnswer[],
  { showsWrong, change }: { showsWrong: boolean; change: AnswerChange | undefined },
): Promise<string> {
  const answerable = answers.filter(({ question }) => question.facts.length > 0);
  const unanswerable = answers.filter(({ question }) => question.facts.length === 0);
  const lines: string[] = [`${answers.length} questions (95 % intervals in brackets)`];
  for (const [title, group] of [
    ['answerable', answerable],
    ['answerable zh', answerable.filter(({ question }) => question.language === 'zh')],
    ['answerable en', answerable.filter(({ question }) => question.language === 'en')],
  ] as const) {
    lines.push(await rowOf(title, group, verdicts));
  }
  lines.push(await rowOf('not answerable', unanswerable, ['right', 'wrong']));
  for (const { name, count, interval } of await measureAnswers(answers)) {
    const { mean, low, high } = interval;
    lines.push(
      `  ${name.padEnd(20)} ${String(count).padStart(5)}  ${percent(mean)} [${percent(low)}, ${percent(high)}]`,
    );
  }
  lines.push('', ...countsBy(answers, 'kind', ({ question }) => question.kind));
  lines.push('', ...countsBy(answers, 'subject', ({ set, question }) => `${set}/${question.subject}`));
  const times = answers.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  lines.push('', `p50 ${at(times, 0.5)} ms, p99 ${at(times, 0.99)} ms per answer`);
  for (const { stage, p50, p99 } of stageTimes(answers)) {
    lines.push(`  ${stage.padEnd(20)} p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  }
  const degraded = answers.filter(({ isDegraded }) => isDegraded).length;
  if (degraded > 0)
    lines.push(`${degraded} answers had a degradation: these figures are not those of the whole service`);
  for (const { question, failure } of answers)
    if (failure !== undefined) lines.push(`failed: ${question.id}: ${failure}`);
  if (change !== undefined) lines.push(describeChange(change));
  if (showsWrong) lines.push('', ...answers.filter(({ verdict }) => verdict !== 'right').map(describeOne));
  return `${lines.join('\n')}\n`;
}

async function rowOf(title: string, group: readonly JudgedAnswer[], shown: readonly Verdict[]): Promise<string> {
  const columns = shown.map((verdict) => Float64Array.from(group, (answer) => (answer.verdict === verdict ? 1 : 0)));
  const intervals = await bootstrapIntervals(columns, seededRandom(1));
  const cells = shown.map((verdict, index) => {
    const { mean, low, high } = intervals[index] ?? { mean: 0, low: 0, high: 0 };
    const name = group[0]?.question.facts.length === 0 ? (verdict === 'right' ? 'refused' : 'answered') : verdict;
    return `${name} ${percent(mean)} [${percent(low)}, ${percent(high)}]`;
  });
  return `  ${title.padEnd(15)} ${String(group.length).padStart(4)}  ${cells.join('  ')}`;
}

function countsBy(answers: readonly JudgedAnswer[], title: string, keyOf: (answer: JudgedAnswer) => string): string[] {
  const groups = [...Map.groupBy(answers, keyOf)].sort(([a], [b]) => (a < b ? -1 : 1));
  const head = `  ${title.padEnd(24)}${['all', ...verdicts].map((name) => name.padStart(9)).join('')}`;
  const rows = groups.map(([key, group]) => {
    const counts = verdicts.map((verdict) => group.filter((answer) => answer.verdict === verdict).length);
    return `  ${key.padEnd(24)}${[group.length, ...counts].map((count) => String(count).padStart(9)).join('')}`;
  });
  return [head, ...rows];
}

function describeOne({ set, question, verdict, text }: JudgedAnswer): string {
  return `${verdict}: ${set}/${question.id} (${question.kind}) ${question.text}\n    ${text.replaceAll('\n', '\n    ')}`;
}

function describeChange({ change, isSignificantDrop, newCount }: AnswerChange): string {
  const others = newCount === 0 ? '' : `; ${newCount} questions are not in it: write it again (--write-baseline)`;
  const verdict = isSignificantDrop ? 'WORSE than the baseline' : 'no worse than the baseline';
  return `${verdict}: ${percent(change.mean)} right (${percent(change.low)} to ${percent(change.high)})${others}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const at = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
