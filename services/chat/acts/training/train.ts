import { writeFileSync } from 'node:fs';
import { actsOf } from './cross-validate.ts';
import { fit } from './fit.ts';
import { readUtterances } from './utterances.ts';

// `npm run train:router` writes weights.json. `npm run eval -- router` measures the router on phrasings that it has not seen.

const utterances = [...readUtterances('zh'), ...readUtterances('en')];
const { weights, ...rest } = fit(utterances, actsOf(utterances));
const lines = Object.entries(weights).map(([name, row]) => `    ${JSON.stringify(name)}: ${JSON.stringify(row)}`);
const head = Object.entries(rest).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},`);
const text = `{\n${head.join('\n')}\n  "weights": {\n${lines.join(',\n')}\n  }\n}\n`;
writeFileSync(new URL('../weights.json', import.meta.url), text);
process.stdout.write(`weights.json: ${lines.length} features, ${Math.round(text.length / 1024)} kB\n`);
