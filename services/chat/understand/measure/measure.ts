import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import { tokenize } from '#kit/text/tokenize.ts';
import { toStandalone } from '../rewrite.ts';
import { type FollowUp, readCanard, readCast, readRewriter, readStandalone } from './sets.ts';

const ownBaseline = fileURLToPath(new URL('baseline.json', import.meta.url));

const help = `npm run eval -- rewrite [options]

Measures the rules that make a follow-up standalone, on public sets that you have: of the words that a person's rewrite adds to the
follow-up, how many do the rules add (and how many exist in the conversation at all). Needs no server.
Exit code: 0; 3 if a set is significantly worse than the baseline.

  --rewriter <file>    dialogue-utterance-rewriter, corpus.txt
  --canard <file>      CANARD, dev.json
  --cast <folder>      CAsT 2019: cast19-topics.json and cast19-resolved.tsv
  --standalone <file>  questions that need no rewrite (queries.jsonl), each after an unrelated one; may be repeated
  --show <n>           print n follow-ups that lack words
  --baseline <file>    compare with this file; default: the committed one
  --write-baseline     write the figures of these sets to that file
  -h, --help           print this help
`;

/** Figures of an earlier run: for each set, its follow-ups and the share of the needed words. */
type Baseline = Record<string, { count: number; share: number }>;

/** Runs `npm run eval -- rewrite`. Resolves to 3 if a set is significantly worse than the baseline. */
export async function measureRewrite(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      rewriter: { type: 'string' },
      canard: { type: 'string' },
      cast: { type: 'string' },
      standalone: { type: 'string', multiple: true, default: [] },
      show: { type: 'string', default: '0' },
      baseline: { type: 'string', default: ownBaseline },
      'write-baseline': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const shown = Number(values.show);
  const sets = [
    ...(values.rewriter === undefined ? [] : [{ name: 'rewriter', followUps: readRewriter(values.rewriter) }]),
    ...(values.cast === undefined ? [] : [{ name: 'CAsT-19', followUps: readCast(values.cast) }]),
    ...(values.canard === undefined ? [] : [{ name: 'CANARD', followUps: readCanard(values.canard) }]),
  ];
  const before: Baseline = existsSync(values.baseline)
    ? (JSON.parse(readFileSync(values.baseline, 'utf8')) as Baseline)
    : {};
  const now: Baseline = { ...before };
  let isWorse = false;
  for (const { name, followUps } of sets) {
    const share = await report(name, followUps, shown);
    now[name] = { count: followUps.length, share: Math.round(share.mean * 1e4) / 1e4 };
    const earlier = before[name];
    if (earlier?.count !== followUps.length || earlier.share <= share.high) continue;
    isWorse = true;
    process.stdout.write(`  significantly worse than the baseline: ${earlier.share.toFixed(3)}\n`);
  }
  for (const file of values.standalone) reportNeedless(file, readStandalone(file), shown);
  if (values['write-baseline']) writeFileSync(values.baseline, `${JSON.stringify(now, undefined, 2)}\n`);
  return isWorse ? 3 : 0;
}

// Words by their stem, Chinese by its characters.
function termsOf(text: string): Set<string> {
  const words = tokenize(text.replaceAll(/\p{sc=Han}/gu, ' '), { mode: 'query' });
  return new Set([...words, ...(text.match(/\p{sc=Han}/gu) ?? [])]);
}

// Resolves to the share of the needed words that were added, with its interval.
async function report(name: string, followUps: readonly FollowUp[], shown: number): Promise<Interval> {
  const rightCounts: number[] = [];
  let neededCount = 0;
  let possibleCount = 0;
  let addedCount = 0;
  let allAddedCount = 0;
  let left = shown;
  for (const { question, turns, rewrite } of followUps) {
    const own = termsOf(question);
    const needed = [...termsOf(rewrite)].filter((term) => !own.has(term));
    const said = termsOf(
      turns.map((turn) => `${turn.question}\n${turn.answer}\n${turn.citations?.[0]?.title ?? ''}`).join('\n'),
    );
    const text = toStandalone(question, turns).text;
    const added = [...termsOf(text)].filter((term) => !own.has(term));
    const right = needed.filter((term) => added.includes(term));
    rightCounts.push(right.length);
    neededCount += needed.length;
    possibleCount += needed.filter((term) => said.has(term)).length;
    addedCount += right.length;
    allAddedCount += added.length;
    if (right.length < needed.length && left-- > 0) {
      process.stdout.write(
        `  ${turns
          .map((turn) => `${turn.question} / ${turn.answer.slice(0, 60)}`)
          .slice(-2)
          .join(' → ')}\n    ${question} → ${text}\n    wanted: ${rewrite}\n`,
      );
    }
  }
  const share = (count: number, of: number) => (count / Math.max(1, of)).toFixed(3);
  process.stdout.write(
    `${name}: ${followUps.length} follow-ups, added ${share(addedCount, neededCount)} of the needed words (in the conversation: ${share(possibleCount, neededCount)}); of the added words ${share(addedCount, allAddedCount)} were needed\n`,
  );
  // The share as a mean over follow-ups.
  const perNeeded = followUps.length / Math.max(1, neededCount);
  const column = Float64Array.from(rightCounts, (count) => count * perNeeded);
  return ((await bootstrapIntervals([column], seededRandom(1))) as [Interval])[0];
}

function reportNeedless(name: string, questions: readonly string[], shown: number): void {
  const changed = questions.filter((question, index) => {
    const other = questions[(index + Math.floor(questions.length / 2)) % questions.length] ?? '';
    const turns = [{ question: other, answer: '' }];
    return toStandalone(question, turns).isRewritten;
  });
  process.stdout.write(`${name}: ${changed.length} of ${questions.length} standalone questions changed\n`);
  for (const question of changed.slice(0, shown)) process.stdout.write(`  ${question}\n`);
}
