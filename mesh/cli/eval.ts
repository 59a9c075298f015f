import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fromJson, type JsonValue, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type EvaluationRun,
  EvaluationService,
  type RunEvaluationRequestSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { IndexAdminService, type TermTable, TermTableSchema } from '#gen/ragmesh/retrieval/v1/index_admin_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { type CommandContext, CommandError, connectMesh, type MeshConnection } from './connect.ts';
import { type Baseline, compareWithBaseline, toBaselineSet } from './eval-baseline.ts';
import { type EvaluationSet, readEvaluationSet, sampleFolder } from './eval-data.ts';
import { describeAblation, describeChange, describeRun, describeTuned } from './eval-report.ts';
import { ablationVariants, chooseWeight, weightVariants } from './eval-variants.ts';
import { ingestFiles } from './ingest.ts';
import { createProgress } from './progress.ts';
import { findFiles } from './upload.ts';

const help = `npm run eval -- [data set folder …] [options]

Measures retrieval on judged questions: folders with corpus.jsonl, queries.jsonl and qrels.tsv; without one, the sample. The
documents are taken in (only what changed), then every question goes through Retrieve.

  --documents <path>       files or folders of the documents, instead of the folder's corpus.jsonl; may be repeated
  --corpus <name>          ask a corpus that is there already, instead
  --limit <n>              only the first n questions
  --no-rerank              without the reranker
  --terms <file>           with these terms (JSON of a TermTable) while it runs; else the sample has its own, other folders none
  --ablation               also without each part of the whole: what it is worth
  --tune                   find the corpus's own weight of the vector leg
  --baseline <file>        compare with the figures there; ends with 3 where a set is significantly worse
  --write-baseline <file>  keep the figures there
`;

/** Questions a message carries. */
const batch = 200;

interface Options {
  documents: readonly string[];
  corpus: string | undefined;
  limit: number;
  rerank: boolean;
  mode: 'plain' | 'ablation' | 'tune';
}

/** `npm run eval`. */
export async function evaluate(context: CommandContext): Promise<number> {
  const { values, positionals } = parseArgs({
    args: context.args,
    allowPositionals: true,
    options: {
      documents: { type: 'string', multiple: true, default: [] },
      corpus: { type: 'string' },
      limit: { type: 'string', default: '0' },
      'no-rerank': { type: 'boolean', default: false },
      terms: { type: 'string' },
      ablation: { type: 'boolean', default: false },
      tune: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      'write-baseline': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const folders = positionals.length > 0 ? positionals : [sampleFolder];
  const sets = folders.map((folder) => readEvaluationSet(folder, values.documents));
  const options: Options = {
    documents: values.documents,
    corpus: values.corpus,
    limit: Number(values.limit),
    rerank: !values['no-rerank'],
    mode: values.ablation ? 'ablation' : values.tune ? 'tune' : 'plain',
  };
  const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
  const kept = values['write-baseline'];
  const after: Baseline = kept !== undefined && existsSync(kept) ? readBaseline(kept) : { sets: {} };
  await using mesh = await connectMesh(context);
  let code = 0;
  for (const set of sets) {
    // A corpus that is there already is asked as its tenant asks it.
    const keepsTerms = values.corpus !== undefined && values.terms === undefined;
    await using _terms = keepsTerms ? undefined : await withTerms(mesh, values.terms ?? set.terms);
    const { run, corpus } = await measure(mesh, set, options);
    process.stdout.write(describeRun(run));
    if (options.mode === 'ablation') process.stdout.write(describeAblation(run));
    if (options.mode === 'tune') process.stdout.write(describeTuned(corpus, await chooseWeight(run)));
    const earlier = before?.sets[set.name];
    if (before !== undefined && earlier === undefined) process.stdout.write('  the baseline does not have this set\n');
    if (earlier !== undefined) {
      const change = await compareWithBaseline(run, earlier);
      process.stdout.write(describeChange(change));
      if (change.isSignificantDrop) code = 3;
    }
    after.sets[set.name] = toBaselineSet(run);
    if (run.failedCount > 0) code ||= 2;
  }
  if (kept !== undefined) writeFileSync(kept, toBaselineText(after));
  return code;
}

async function measure(
  mesh: MeshConnection,
  { name, documents, queries }: EvaluationSet,
  options: Options,
): Promise<{ run: EvaluationRun; corpus: string }> {
  const corpus = options.corpus ?? `eval-${name}`;
  if (options.corpus === undefined) {
    const { files } = await findFiles([...documents]);
    const job = await ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), true);
    if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the corpus could not be taken in: ${job.error}`);
  }
  const evaluation = mesh.client(EvaluationService);
  await evaluation.putDataSet(
    (async function* () {
      for (let index = 0; index < queries.length; index += batch) {
        yield { dataSet: name, queries: queries.slice(index, index + batch) };
      }
    })(),
  );
  await warmUp(mesh, corpus, queries[0]?.text ?? '-');
  const template = { corpora: [corpus], rerank: options.rerank, query: '-' };
  const variants =
    options.mode === 'ablation' ? ablationVariants(template) : options.mode === 'tune' ? weightVariants(template) : [];
  const request: MessageInitShape<typeof RunEvaluationRequestSchema> = {
    dataSet: name,
    limit: options.limit,
    template,
    variants,
    withQuestions: true,
  };
  const progress = createProgress();
  let run: EvaluationRun | undefined;
  for await (const { event } of evaluation.runEvaluation(request)) {
    if (event.case === 'progress')
      progress.update(event.value.doneCount, event.value.totalCount, `${event.value.doneCount} questions`);
    if (event.case === 'run') run = event.value;
  }
  progress.end();
  if (run === undefined) throw new CommandError('the evaluation ended without a result');
  return { run, corpus };
}

/** Time that a server gets to read the corpus into memory, so that every question is searched in the same way. */
const warmUpMs = 5000;

async function warmUp(mesh: MeshConnection, corpus: string, query: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < warmUpMs; waitedMs += warmUpMs / 5) {
    for await (const _ of mesh.client(RetrievalService).retrieve({ query, corpora: [corpus] }));
    await setTimeout(warmUpMs / 5);
  }
}

/** Sets the tenant's terms, those of a file or none, until it is over, and then those that were set before. */
async function withTerms(mesh: MeshConnection, path: string | undefined): Promise<AsyncDisposable> {
  const terms = fromJson(TermTableSchema, path === undefined ? {} : (readJson(path) as JsonValue));
  const admin = mesh.client(IndexAdminService);
  const { terms: earlier } = await admin.getTerms({});
  await admin.putTerms({ terms });
  const none: MessageInitShape<typeof TermTableSchema> = {};
  return {
    async [Symbol.asyncDispose]() {
      await admin.putTerms({ terms: (earlier as TermTable | undefined) ?? none });
    },
  };
}

const readBaseline = (path: string): Baseline => readJson(path) as Baseline;

function readJson(path: string): unknown {
  if (!existsSync(path)) throw new CommandError(`${path} does not exist`);
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** JSON with a line a metric, and the scores of all questions in one. */
function toBaselineText(baseline: Baseline): string {
  const flat = (text: string) =>
    text.replace(/\[[^\]]*\]/g, (list) => list.replace(/\s+/g, ' ').replaceAll(/(?<=\[) | (?=\])/g, ''));
  return `${flat(JSON.stringify(baseline, undefined, 2))}\n`;
}
