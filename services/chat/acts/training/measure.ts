import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ConversationAct, ConversationActSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { bootstrapIntervals, type Interval, seededRandom } from '#kit/statistics/bootstrap.ts';
import { createRouter, isSearched } from '../router.ts';
import { actsOf, crossValidate, type Judged } from './cross-validate.ts';
import { readPublicSet } from './public-sets.ts';
import { readUtterances } from './utterances.ts';

const ownBaseline = fileURLToPath(new URL('baseline.json', import.meta.url));

const help = `npm run eval -- router [options]

Measures the router of messages on phrasings that it has not seen: ten times, a model that was fitted to nine tenths of the phrasings routes
the rest. Needs no server. Exit code: 0; 3 if significantly fewer messages are right than in the baseline.

  --wrong                  print each message that is not right
  --bitext <file>          also the shop intents of Bitext (bitext8k.json), of which some are acts and the others questions
  --baseline <file>        compare with this file; default: the committed one
  --write-baseline         write the verdicts to that file
  --json                   print JSON
  -h, --help               print this help
`;

/** Verdicts of an earlier run: for each act, the share of right messages of each phrasing in the order of the files, from 0 to 9. */
interface Baseline {
  acts: Record<string, string>;
}

/** Runs `npm run eval -- router`. Resolves to 3 if significantly fewer messages are right than in the baseline. */
export async function measureRouter(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      wrong: { type: 'boolean', default: false },
      bitext: { type: 'string' },
      baseline: { type: 'string', default: ownBaseline },
      'write-baseline': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const judged = crossValidate([...readUtterances('zh'), ...readUtterances('en')]);
  if (values['write-baseline']) writeFileSync(values.baseline, `${JSON.stringify(toBaseline(judged), undefined, 2)}\n`);
  const change = existsSync(values.baseline)
    ? await changeSince(judged, JSON.parse(readFileSync(values.baseline, 'utf8')) as Baseline)
    : undefined;
  const sets = values.bitext === undefined ? [] : [routePublic(values.bitext)];
  if (values.json) process.stdout.write(`${JSON.stringify({ right: shareOf(judged), change, sets })}\n`);
  else
    process.stdout.write(
      [describe(judged, values.wrong), ...sets.map(({ text }) => text), describeChange(change)].join(''),
    );
  return change !== undefined && change.high < 0 ? 3 : 0;
}

const nameOf = (act: ConversationAct): string => enumName(ConversationActSchema, act).toLowerCase();
const isRight = ({ act, routed }: Judged): boolean => act === routed;
const shareOf = (list: readonly Judged[]): number => list.filter(isRight).length / Math.max(1, list.length);

function describe(judged: readonly Judged[], showsWrong: boolean): string {
  const lines = [`unseen phrasings: ${shareOf(judged).toFixed(3)} of ${judged.length} messages`];
  for (const act of actsOf(judged)) {
    const own = judged.filter((message) => message.act === act);
    lines.push(`  ${act.padEnd(14)} ${shareOf(own).toFixed(3)} of ${own.length}`);
    if (showsWrong)
      lines.push(...own.filter((one) => !isRight(one)).map(({ text, routed }) => `    ${routed}: ${text}`));
  }
  return `${lines.join('\n')}\n`;
}

function describeChange(change: Interval | undefined): string {
  if (change === undefined) return 'no baseline\n';
  const points = (value: number) => `${(value * 100).toFixed(1)} points`;
  return `since the baseline: ${points(change.mean)} (${points(change.low)} to ${points(change.high)})\n`;
}

/** Returns the verdicts of a run, small enough to be committed. */
export function toBaseline(judged: readonly Judged[]): Baseline {
  const acts: Record<string, string> = {};
  for (const { act, share } of phrasingsOf(judged)) acts[act] = (acts[act] ?? '') + Math.round(share * 9);
  return { acts };
}

/** Returns what changed in the share of right messages, phrasing by phrasing. Throws if the phrasings are not those of the baseline. */
export async function changeSince(judged: readonly Judged[], before: Baseline): Promise<Interval> {
  const now = toBaseline(judged).acts;
  const differences = Object.entries(now).flatMap(([act, digits]) => {
    const earlier = before.acts[act] ?? '';
    if (earlier.length !== digits.length) {
      throw new Error(
        `the baseline has ${earlier.length} phrasings of ${act}, not ${digits.length}: --write-baseline writes it again`,
      );
    }
    return [...digits].map((digit, index) => (Number(digit) - Number(earlier[index])) / 9);
  });
  const [change] = (await bootstrapIntervals([Float64Array.from(differences)], seededRandom(1))) as [Interval];
  return change;
}

function phrasingsOf(judged: readonly Judged[]): { act: string; share: number }[] {
  const sorted = Map.groupBy(judged, ({ phrasing }) => phrasing);
  const order = [...sorted.keys()].sort();
  return order.map((phrasing) => {
    const own = sorted.get(phrasing) ?? [];
    return { act: own[0]?.act ?? '', share: shareOf(own) };
  });
}

/** Routes a public set by the committed model. Its questions must be searched, its acts be recognised. */
function routePublic(file: string): { name: string; acts: Record<string, number>; text: string } {
  const route = createRouter();
  const byAct = Map.groupBy(readPublicSet(file), ({ act }) => act);
  const rows = [...byAct].map(([act, list]) => {
    const routed = list.map(({ text }) => route(text).act);
    const right = routed.filter((found) => (act === 'question' ? isSearched(found) : nameOf(found) === act));
    return { act, count: list.length, share: right.length / list.length };
  });
  const text = rows.map(({ act, count, share }) => `  ${act.padEnd(14)} ${share.toFixed(3)} of ${count}\n`).join('');
  return {
    name: 'bitext',
    acts: Object.fromEntries(rows.map(({ act, share }) => [act, share])),
    text: `Bitext:\n${text}`,
  };
}
