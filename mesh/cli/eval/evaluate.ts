import { toJson } from '@bufbuild/protobuf';
import { type EvaluationRun, EvaluationRunSchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh, type MeshConnection } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { ingestFiles } from '../ingest.ts';
import { createProgress } from '../progress.ts';
import { findFiles } from '../upload/upload.ts';
import {
  type Baseline,
  type BaselineSet,
  compareWithBaseline,
  readBaseline,
  toBaselineSet,
  writeBaseline,
} from './baseline.ts';
import { type EvaluationSet, readEvaluationSet, sampleFolder } from './data.ts';
import { describeAblation, describeChange, describeRun, describeTuned, isWhole } from './report.ts';
import { putDataSet, runDataSet } from './run-data-set.ts';
import { withTerms } from './terms.ts';
import { ablationVariants, chooseSearch, tuningVariants } from './variants.ts';
import { warmUp } from './warm-up.ts';

const help = `npm run eval -- [data set folder …] [options]
npm run eval -- answers [options]     judges the answers themselves: npm run eval -- answers --help
npm run eval -- router [options]      measures what says whether a message is a question, a greeting, …
npm run eval -- rewrite [options]     measures what makes a follow-up understandable alone
npm run eval -- verifier <folder>     measures the check of sentences: npm run eval -- verifier --help
npm run eval -- personal-data         measures what is found of personal data: npm run eval -- personal-data --help
npm run eval -- suite <kind> <file>   runs a suite of the mesh on judged lines: npm run eval -- suite --help
npm run eval -- promote --corpus <n>  runs the gate of a held version again: npm run eval -- promote --help

Measures retrieval on judged questions: folders with corpus.jsonl, queries.jsonl and qrels.tsv; without one, the sample. The
documents are indexed (only what changed), then every question is one call of Retrieve.
Exit code: 0; 2 if a question failed or was searched without one of the stages, and then nothing is compared; 3 if a set is
significantly worse than the baseline, without the questions that have another result when they are asked again.

  --documents <path>       files or folders of the documents, instead of the folder's corpus.jsonl; may be repeated
  --corpus <name>          ask an existing corpus instead
  --limit <n>              only the first n questions
  --no-rerank              without the reranker
  --with-limits            with the time limits of the stages, as in production: what a busy machine makes late is left out
  --terms <file>           use these terms (JSON of a TermTable) during the run; default: the sample has its own, other folders none
  --ablation               also measure without each feature, to show what it gains
  --tune                   find the best weight of the vector leg for the corpus, and whether to rerank
  --baseline <file>        compare with the figures in this file
  --write-baseline <file>  write the figures to this file
${connectionHelp}`;

interface Options {
  corpus: string | undefined;
  limit: number;
  rerank: boolean;
  /** Whether the configured time limits of the stages apply. */
  limits: boolean;
  mode: 'plain' | 'ablation' | 'tune';
  /** File of terms to use during the run, instead of those of the set. */
  terms: string | undefined;
  json: boolean;
}

/** What a set resulted in. */
interface SetResult {
  code: number;
  /** `undefined` if they are not those of the whole search. */
  figures: BaselineSet | undefined;
  json: object;
}

/** Runs `npm run eval`. Resolves to 3 if a set is significantly worse than the baseline, 2 if a question failed or lacked a stage. */
export async function evaluate(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      documents: { type: 'string', multiple: true, default: [] },
      corpus: { type: 'string' },
      limit: { type: 'string', default: '0' },
      'no-rerank': { type: 'boolean', default: false },
      'with-limits': { type: 'boolean', default: false },
      terms: { type: 'string' },
      ablation: { type: 'boolean', default: false },
      tune: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      'write-baseline': { type: 'string' },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const folders = positionals.length > 0 ? positionals : [sampleFolder];
  const sets = folders.map((folder) => readEvaluationSet(folder, values.documents));
  const options: Options = {
    corpus: values.corpus,
    limit: readLimit(values.limit),
    rerank: !values['no-rerank'],
    limits: values['with-limits'],
    mode: values.ablation ? 'ablation' : values.tune ? 'tune' : 'plain',
    terms: values.terms,
    json: values.json,
  };
  const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
  const after: Baseline['sets'] = {};
  await using mesh = await connectMesh(context, values);
  const results: SetResult[] = [];
  for (const set of sets) {
    const result = await evaluateSet(mesh, set, options, before);
    if (result.figures !== undefined) after[set.name] = result.figures;
    results.push(result);
  }
  if (values['write-baseline'] !== undefined) writeBaseline(values['write-baseline'], after);
  if (values.json) printJson({ sets: results.map(({ json }) => json) });
  return Math.max(...results.map(({ code }) => code));
}

function readLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new CommandError(`--limit is ${text}: a whole number is needed, 0 for all questions`);
}

/** Measures a set, and prints the result unless it is printed as JSON at the end. */
async function evaluateSet(
  mesh: MeshConnection,
  set: EvaluationSet,
  options: Options,
  before: Baseline | undefined,
): Promise<SetResult> {
  const print = options.json ? () => {} : (text: string) => void process.stdout.write(text);
  // An existing corpus is asked with the terms of its tenant.
  const keepsTerms = options.corpus !== undefined && options.terms === undefined;
  await using _terms = keepsTerms ? undefined : await withTerms(mesh, options.terms ?? set.terms);
  const { run, corpus, askAgain } = await measure(mesh, set, options);
  print(describeRun(run));
  const json = { corpus, run: toJson(EvaluationRunSchema, run) };
  if (!isWhole(run)) {
    print('  not compared with anything: the figures are not those of the whole search\n');
    return { code: 2, figures: undefined, json };
  }
  if (options.mode === 'ablation') print(describeAblation(run));
  const tuned = options.mode === 'tune' ? await chooseSearch(run) : undefined;
  if (tuned !== undefined) print(describeTuned(corpus, tuned));
  const earlier = before?.sets[set.name];
  if (before !== undefined && earlier === undefined) print('  the baseline does not have this set\n');
  const change = earlier === undefined ? undefined : await compareWithBaseline(run, earlier, askAgain);
  if (change !== undefined) print(describeChange(change));
  const failedCode = run.failedCount > 0 ? 2 : 0;
  return {
    code: change?.isSignificantDrop === true ? 3 : failedCode,
    figures: toBaselineSet(run),
    json: { ...json, tuned, change },
  };
}

async function measure(
  mesh: MeshConnection,
  { name, documents, queries }: EvaluationSet,
  options: Options,
): Promise<{ run: EvaluationRun; corpus: string; askAgain: () => Promise<EvaluationRun> }> {
  const corpus = options.corpus ?? `eval-${name}`;
  if (options.corpus === undefined) {
    const { files } = await findFiles([...documents]);
    const job = await ingestFiles(mesh.client(IndexerService), corpus, files, createProgress(), {
      deleteMissing: true,
    });
    if (job.state !== JobState.SUCCEEDED) throw new CommandError(`the corpus could not be indexed: ${job.error}`);
  }
  await putDataSet(mesh, name, queries);
  await warmUp(mesh, corpus, queries[0]?.text ?? '-');
  const template = { corpora: [corpus], rerank: options.rerank, waitForStages: !options.limits, query: '-' };
  const variants =
    options.mode === 'ablation' ? ablationVariants(template) : options.mode === 'tune' ? tuningVariants(template) : [];
  const request = { dataSet: name, limit: options.limit, template, withQuestions: true };
  const run = await runDataSet(mesh, { ...request, variants });
  return { run, corpus, askAgain: () => runDataSet(mesh, request) };
}
