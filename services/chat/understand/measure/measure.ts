import { parseArgs } from 'node:util';
import { tokenize } from '#kit/text/tokenize.ts';
import { toStandalone } from '../rewrite.ts';
import { type FollowUp, readCanard, readCast, readRewriter, readStandalone } from './sets.ts';

const help = `node services/chat/understand/measure/measure.ts [options]

Measures the rules that make a follow-up standalone, on public sets that you have: of the words that a person's rewrite adds to the
follow-up, how many do the rules add (and how many exist in the conversation at all).

  --rewriter <file>    dialogue-utterance-rewriter, corpus.txt
  --canard <file>      CANARD, dev.json
  --cast <folder>      CAsT 2019: cast19-topics.json and cast19-resolved.tsv
  --standalone <file>  questions that need no rewrite (queries.jsonl), each after an unrelated one; may be repeated
  --show <n>           print n follow-ups that lack words`;

const { values } = parseArgs({
  options: {
    rewriter: { type: 'string' },
    canard: { type: 'string' },
    cast: { type: 'string' },
    standalone: { type: 'string', multiple: true, default: [] },
    show: { type: 'string', default: '0' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) process.stdout.write(`${help}\n`);
if (values.rewriter !== undefined) report('rewriter', readRewriter(values.rewriter));
if (values.cast !== undefined) report('CAsT-19', readCast(values.cast));
if (values.canard !== undefined) report('CANARD', readCanard(values.canard));
for (const file of values.standalone) reportNeedless(file, readStandalone(file));

// Words by their stem, Chinese by its characters.
function termsOf(text: string): Set<string> {
  const words = tokenize(text.replaceAll(/\p{sc=Han}/gu, ' '), { mode: 'query' });
  return new Set([...words, ...(text.match(/\p{sc=Han}/gu) ?? [])]);
}

function report(name: string, followUps: readonly FollowUp[]): void {
  let neededCount = 0;
  let possibleCount = 0;
  let addedCount = 0;
  let allAddedCount = 0;
  let left = Number(values.show);
  for (const { question, turns, rewrite } of followUps) {
    const own = termsOf(question);
    const needed = [...termsOf(rewrite)].filter((term) => !own.has(term));
    const said = termsOf(
      turns.map((turn) => `${turn.question}\n${turn.answer}\n${turn.citations?.[0]?.title ?? ''}`).join('\n'),
    );
    const text = toStandalone(question, turns).text;
    const added = [...termsOf(text)].filter((term) => !own.has(term));
    const right = needed.filter((term) => added.includes(term));
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
}

function reportNeedless(name: string, questions: readonly string[]): void {
  const changed = questions.filter((question, index) => {
    const other = questions[(index + Math.floor(questions.length / 2)) % questions.length] ?? '';
    const turns = [{ question: other, answer: '' }];
    return toStandalone(question, turns).isRewritten;
  });
  process.stdout.write(`${name}: ${changed.length} of ${questions.length} standalone questions changed\n`);
  for (const question of changed.slice(0, Number(values.show))) process.stdout.write(`  ${question}\n`);
}
