import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CommandContext, CommandError } from './connect.ts';
import { createProgress } from './progress.ts';

const help = `npm run cache:calibrate -- <pairs.tsv> [--budget 0.01] [--wrong-share 0.1] [--dry-run]

Calibrates the semantic layer of the answer cache for the embedding model of the configuration, and says what hit rate the
budget buys. The file has a pair of questions a line: question, tab, question, tab, 1 (same meaning) or 0. One half chooses the
threshold, the other half measures it. A server reads the result when it starts; without one the layer is off.

  --budget <share>        most pairs of different meaning that may be served, as an upper bound
  --wrong-share <share>   most of what is served that may be of different meaning
  --dry-run               measure only, write nothing
`;

/** The embedding service, started for a command. */
export interface Embedding extends AsyncDisposable {
  model: string;
  dimensions: number;
  /** The vectors of questions, each of length 1. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>;
}

/** What the composition root lends. */
export interface CalibrateTools {
  startEmbedding(context: CommandContext): Promise<Embedding>;
  calibrateFile(
    options: {
      pairsFile: string;
      folder: string;
      isDryRun: boolean;
      budget: number;
      wrongShare: number;
      nowMs: number;
      embedding: { model: string; dimensions: number };
      embed: Embedding['embed'];
      onProgress(doneCount: number, totalCount: number): void;
    },
    signal: AbortSignal,
  ): Promise<{ lines: string[]; written: string | undefined; holds: boolean }>;
}

/** `npm run cache:calibrate`. Exit code 2 where the budget does not hold on the pairs that were kept back. */
export async function calibrateCache(context: CommandContext, tools: CalibrateTools): Promise<number> {
  const { values, positionals } = parseArgs({
    args: context.args,
    allowPositionals: true,
    options: {
      budget: { type: 'string', default: '0.01' },
      'wrong-share': { type: 'string', default: '0.1' },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [pairsFile] = positionals;
  if (pairsFile === undefined) throw new CommandError(`a file of pairs is needed\n\n${help}`);
  if (!existsSync(pairsFile)) throw new CommandError(`${pairsFile} does not exist`);
  const budget = readShare('--budget', values.budget);
  const wrongShare = readShare('--wrong-share', values['wrong-share']);
  await using embedding = await tools.startEmbedding(context);
  const progress = createProgress();
  const { lines, written, holds } = await tools.calibrateFile(
    {
      pairsFile,
      folder: join(context.config.dataDir, 'cache'),
      isDryRun: values['dry-run'],
      budget,
      wrongShare,
      nowMs: Date.now(),
      embedding: { model: embedding.model, dimensions: embedding.dimensions },
      embed: embedding.embed,
      onProgress: (done, total) => progress.update(done, total, `${done} of ${total} questions`),
    },
    new AbortController().signal,
  );
  progress.end();
  const file =
    written === undefined ? 'nothing was written' : `written to ${written}: a server reads it when it starts`;
  process.stdout.write(`${[...lines, file].join('\n')}\n`);
  return holds ? 0 : 2;
}

function readShare(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new CommandError(`${name} is ${text}: a number above 0 and up to 1 is needed`);
  return value;
}
