import { parseArgs } from 'node:util';
import { benchAnswers } from './answers.ts';
import { printTable } from './measure.ts';
import { benchMounts } from './mounts.ts';

const help = `npm run bench -- [mounts | answers] [--data <folder>]

Measures ratios side by side in one run, and prints one table.

  mounts    our grpc mount against bare grpc-js, the local mount against the grpc mount
  answers   cached answers through the edge against a bare stream; time to the first text
  --data    folder with alihelp-zh and alihelp-en, to measure over the help corpora; default: the sample knowledge base
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, help: { type: 'boolean', short: 'h', default: false } },
});

if (values.help) {
  process.stdout.write(help);
} else {
  const chosen = (name: string) => positionals.length === 0 || positionals.includes(name);
  process.stderr.write('measuring; leave the machine alone for two minutes …\n');
  const rows = [
    ...(chosen('mounts') ? await benchMounts() : []),
    ...(chosen('answers') ? await benchAnswers(values.data) : []),
  ];
  process.exitCode = printTable(rows) === 0 ? 0 : 1;
}
