import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { create } from '@bufbuild/protobuf';
import {
  type EvaluationRun,
  EvaluationService,
  type JudgedQuery,
  JudgedQuerySchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, connectMesh } from './connect.ts';
import { ingestFiles } from './ingest.ts';
import { createProgress } from './progress.ts';
import { findFiles } from './upload.ts';

const help = `npm run eval -- <data set folder> [--corpus <name>] [--no-rerank] [--limit <n>]

Measures retrieval on judged questions: a folder with corpus.jsonl, queries.jsonl and qrels.tsv. The corpus is taken in
(only what changed), then every question goes through Retrieve.

  --corpus <name>   ask a corpus that is there already, instead of the folder's
  --no-rerank       without the reranker
  --limit <n>       only the first n questions
`;

/** Questions a message carries. */
const batch = 200;

/** `npm run eval`. */
export async function evaluate(context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string' },
      'no-rerank': { type: 'boolean', default: false },
      limit: { type: 'string', default: '0' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [folder] = positionals;
  if (folder === undefined) throw new CommandError(`a data set folder is needed\n\n${help}`);
  const queries = readQueries(folder);
  const dataSet = basename(resolve(folder));
  await using mesh = await connectMesh(context);
  const corpus = values.corpus ?? `eval-${dataSet}`;
  if (values.corpus === undefined) {
    const { files } = await findFiles([join(folder, 'corpus.jsonl')]);
    const job = await ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), true);
    if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the corpus could not be taken in: ${job.error}`);
  }
  const evaluation = mesh.client(EvaluationService);
  await evaluation.putDataSet(
    (async function* () {
      for (let index = 0; index < queries.length; index += batch) {
        yield { dataSet, queries: queries.slice(index, index + batch) };
      }
    })(),
  );
  const progress = createProgress();
  let run: EvaluationRun | undefined;
  const request = {
    dataSet,
    limit: Number(values.limit),
    template: { corpora: [corpus], rerank: !values['no-rerank'], query: '-' },
  };
  for await (const { event } of evaluation.runEvaluation(request)) {
    if (event.case === 'progress')
      progress.update(event.value.doneCount, event.value.totalCount, `${event.value.doneCount} questions`);
    if (event.case === 'run') run = event.value;
  }
  progress.end();
  if (run === undefined) throw new CommandError('the evaluation ended without a result');
  printRun(run);
  return run.failedCount === 0 ? 0 : 2;
}

function printRun(run: EvaluationRun): void {
  const rows = run.metrics.map(
    ({ name, mean, low, high }) =>
      `  ${name.padEnd(10)} ${mean.toFixed(4)}   95 % interval ${low.toFixed(4)} to ${high.toFixed(4)}`,
  );
  const times = `  p50 ${(Number(run.p50Us) / 1000).toFixed(1)} ms, p99 ${(Number(run.p99Us) / 1000).toFixed(1)} ms a question`;
  const failed = run.failedCount === 0 ? '' : `, ${run.failedCount} failed (counted as 0)`;
  process.stdout.write(`${run.dataSet}: ${run.queryCount} questions${failed}\n${rows.join('\n')}\n${times}\n`);
}

function readQueries(folder: string): JudgedQuery[] {
  const queries = new Map<string, JudgedQuery>();
  for (const line of readLines(join(folder, 'queries.jsonl'))) {
    const { id, text } = JSON.parse(line) as { id: string; text: string };
    queries.set(id, create(JudgedQuerySchema, { queryId: id, text }));
  }
  for (const line of readLines(join(folder, 'qrels.tsv'))) {
    const [queryId = '', documentId = '', grade = '0'] = line.split('\t');
    queries.get(queryId)?.judgements.push({
      $typeName: 'ragmesh.evaluation.v1.Judgement',
      documentId,
      grade: Number(grade),
    });
  }
  return [...queries.values()].filter(({ judgements }) => judgements.length > 0);
}

function readLines(path: string): string[] {
  if (!existsSync(path))
    throw new CommandError(`${path} does not exist: a data set has corpus.jsonl, queries.jsonl and qrels.tsv`);
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
