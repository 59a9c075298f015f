import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';
import { createProgress } from '../progress.ts';

const help = `npm run cache:calibrate -- <pairs.tsv> [--budget 0.01] [--wrong-share 0.1] [--dry-run]

Calibrates the semantic layer of the answer cache for the embedding model of the configuration, and prints the hit rate within
the budget. Each line of the file is a pair of questions: question, tab, question, tab, 1 (same meaning) or 0. One half of the
pairs chooses the threshold, the other half measures it. A server reads the result when it starts; without one the layer is off.
Exit code: 0, or 2 if the budget is exceeded on the second half.

  --budget <share>        largest share of pairs of different meaning that may be served
  --wrong-share <share>   largest share of the served pairs that may be of different meaning
  --dry-run               measure only, write nothing
${localHelp}`;

/** A running embedding service. */
export interface Embedding extends AsyncDisposable {
  model: string;
  dimensions: number;
  /** Returns the vectors of questions, each of length 1. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>;
}

/** What the composition root provides. */
export interface CalibrateTools {
  startEmbedding(config: Config): Promise<Embedding>;
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

/** Runs `npm run cache:calibrate`. Resolves to 2 if the budget does not hold on the pairs of the second half. */
export async function calibrateCache(context: CommandContext, tools: CalibrateTools): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      budget: { type: 'string', default: '0.01' },
      'wrong-share': { type: 'string', default: '0.1' },
      'dry-run': { type: 'boolean', default: false },
      ...commonFlags,
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
  const config = await context.readConfig(values.config);
  await using embedding = await tools.startEmbedding(config);
  const progress = createProgress();
  const { lines, written, holds } = await tools.calibrateFile(
    {
      pairsFile,
      folder: join(config.dataDir, 'cache'),
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
  if (values.json) {
    printJson({ report: lines, file: written ?? null, holds });
    return holds ? 0 : 2;
  }
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
