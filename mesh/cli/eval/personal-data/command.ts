import { createFindPersonalData } from '#kit/personal-data/find.ts';
import { type CommandContext, printJson } from '../../command.ts';
import { parseFlags } from '../../flags.ts';
import { type Counts, type DocumentCounts, measureDocuments, measureLabelled, measureMade } from './measure.ts';
import { readDocuments, readLabelledSets } from './sets.ts';

const help = `npm run eval -- personal-data [<folder of sets>] [options]

Measures what is found of personal data: of made values with a checksum, in several notations; in the labelled public sets of a folder that you
have (presidio-synth*.json, phone-*.json); and in documents, which are expected to have none. Needs no server.
Exit code: 0; 3 if less than 98 % of the made values of a kind are found.

  --documents <folder>  a folder with corpus.jsonl; may be repeated
  --hits                print each finding in the documents, to judge it
  --json                print one line of JSON
  -h, --help            print this help
`;

/** Values that are made of each kind. */
const madeCount = 2000;
const minRecall = 0.98;

/** Runs `npm run eval -- personal-data`. Resolves to 3 if the recall of made values is below its bar. */
export async function evaluatePersonalData({ args }: Pick<CommandContext, 'args'>): Promise<number> {
  const { values, positionals } = parseFlags({
    args,
    allowPositionals: true,
    options: {
      documents: { type: 'string', multiple: true, default: [] },
      hits: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const find = createFindPersonalData({});
  const made = measureMade(find, madeCount);
  const sets = positionals.flatMap(readLabelledSets);
  const labelled = Object.fromEntries(sets.map((set) => [set.name, measureLabelled(find, set)]));
  const documents = Object.fromEntries(
    values.documents.map((folder) => [folder, measureDocuments(find, readDocuments(folder))]),
  );
  if (values.json) printJson({ made, labelled, documents });
  else {
    const lines = [
      `made values found as a whole (${madeCount} of each kind)`,
      ...Object.entries(made).map(([kind, share]) => `  ${kind.padEnd(16)}${percent(share)}`),
      ...Object.entries(labelled).flatMap(([name, counts]) => describeSet(name, counts)),
      ...Object.entries(documents).flatMap(([name, counts]) => describeDocuments(name, counts, values.hits)),
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  return Object.values(made).every((share) => share >= minRecall) ? 0 : 3;
}

function describeSet(name: string, counts: Record<string, Counts>): string[] {
  const rows = Object.entries(counts).map(([kind, { found, partly, missed, wrong }]) => {
    const recall = percent(found / Math.max(1, found + partly + missed));
    const precision = percent((found + partly) / Math.max(1, found + partly + wrong));
    const parts = `${found} whole, ${partly} in part, ${missed} missed, ${wrong} wrong`;
    return `  ${kind.padEnd(16)}recall ${recall}  precision ${precision}  (${parts})`;
  });
  return [name, ...rows];
}

function describeDocuments(
  name: string,
  { documentCount, withHit, hits, cpuUsPerKilobyte }: DocumentCounts,
  showHits: boolean,
): string[] {
  const rate = ((1000 * withHit) / Math.max(1, documentCount)).toFixed(2);
  const kinds = Object.entries(Object.groupBy(hits, ({ kind }) => kind)).map(([kind, of]) => `${kind} ${of?.length}`);
  return [
    `${name}: ${withHit} of ${documentCount} documents have a finding (${rate} of 1,000), ${cpuUsPerKilobyte.toFixed(0)} µs of CPU a kB`,
    `  ${kinds.join(', ')}`,
    ...(showHits ? hits.map(({ kind, text }) => `    ${kind.padEnd(16)}${text}`) : []),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1).padStart(5)} %`;
