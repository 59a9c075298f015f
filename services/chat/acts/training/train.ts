import { writeFileSync } from 'node:fs';
import { ConversationActSchema } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { createRouter } from '../router.ts';
import { fit } from './fit.ts';
import { readUtterances, type Utterance } from './utterances.ts';

// `node services/chat/acts/training/train.ts` writes weights.json. Before, it measures the router on phrasings that it has not seen.

/** Parts of the phrasings; each is the test set of a model that was fitted to the others. */
const folds = 10;

const utterances = [...readUtterances('zh'), ...readUtterances('en')];
const acts = [...new Set(utterances.map(({ act }) => act))];
report(crossValidate());
const { weights, ...rest } = fit(utterances, acts);
const lines = Object.entries(weights).map(([name, row]) => `    ${JSON.stringify(name)}: ${JSON.stringify(row)}`);
const head = Object.entries(rest).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},`);
const text = `{\n${head.join('\n')}\n  "weights": {\n${lines.join(',\n')}\n  }\n}\n`;
writeFileSync(new URL('../weights.json', import.meta.url), text);
process.stdout.write(`weights.json: ${lines.length} features, ${Math.round(text.length / 1024)} kB\n`);

interface Judged extends Utterance {
  readonly routed: string;
}

function crossValidate(): Judged[] {
  const phrasings = [...new Set(utterances.map(({ phrasing }) => phrasing))];
  const foldOf = new Map(phrasings.map((phrasing, index) => [phrasing, index % folds]));
  return Array.from({ length: folds }, (_, fold) => fold).flatMap((fold) => {
    const isTest = ({ phrasing }: Utterance) => foldOf.get(phrasing) === fold;
    const model = fit(
      utterances.filter((utterance) => !isTest(utterance)),
      acts,
    );
    const route = createRouter(model);
    return utterances.filter(isTest).map((utterance) => ({
      ...utterance,
      routed: enumName(ConversationActSchema, route(utterance.text).act).toLowerCase(),
    }));
  });
}

function report(judged: readonly Judged[]): void {
  const share = (list: readonly Judged[]) =>
    (list.filter(({ act, routed }) => act === routed).length / Math.max(1, list.length)).toFixed(3);
  process.stdout.write(`unseen phrasings: ${share(judged)} of ${judged.length} messages\n`);
  for (const act of acts) {
    const own = judged.filter((message) => message.act === act);
    const wrong = own.filter(({ routed }) => routed !== act);
    process.stdout.write(`  ${act.padEnd(14)} ${share(own)} of ${own.length}\n`);
    if (process.argv.includes('--wrong')) {
      for (const { text, routed } of wrong) process.stdout.write(`    ${routed}: ${text}\n`);
    }
  }
}
