import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fromJson, toJson } from '@bufbuild/protobuf';
import { EvaluationRunSchema, type JudgedQuery, JudgedQuerySchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { connectMesh } from '../connect.ts';
import { connectionFlags, connectionHelp, parseFlags } from '../flags.ts';
import { compareWithBaseline, readBaseline, toBaselineSet, writeBaseline } from './baseline.ts';
import { describeChange, describeRun } from './report.ts';
import { putDataSet, runDataSet } from './run-data-set.ts';

const help = `npm run eval -- suite <kind> <file> [options]

Asks a running mesh the questions of a file, and scores what it does. Kinds: retrieval, answers, conversations, router, verifier, cache,
personal-data. Each line of the file is a JudgedQuery in JSON; deployments/suite-gold has examples. Questions without a judgement
of the kind are passed over. The file is stored as the data set of its name, which the console and nightly suites can use too.
Exit code: 0; 2 if a question failed; 3 if the first figure is significantly worse than the baseline, without the questions that have another
result when they are asked again.

  --corpus <name>          for retrieval, answers and conversations: ask this corpus; default: all
  --baseline <file>        compare with the figures in this file
  --write-baseline <file>  write the figures to this file
${connectionHelp}`;

const kinds: ReadonlyMap<string, SuiteKind> = new Map([
  ['retrieval', SuiteKind.RETRIEVAL],
  ['answers', SuiteKind.ANSWERS],
  ['conversations', SuiteKind.CONVERSATIONS],
  ['router', SuiteKind.ROUTER],
  ['verifier', SuiteKind.VERIFIER],
  ['cache', SuiteKind.CACHE],
  ['personal-data', SuiteKind.PERSONAL_DATA],
]);

/** Runs `npm run eval -- suite`. Resolves to 3 if the suite is significantly worse than the baseline, 2 if a question failed. */
export async function evaluateSuite(context: CommandContext): Promise<number> {
  const { values, positionals } = parseFlags({
    args: context.args,
    allowPositionals: true,
    options: {
      corpus: { type: 'string' },
      baseline: { type: 'string' },
      'write-baseline': { type: 'string' },
      ...connectionFlags,
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const [kind = '', file = '', ...rest] = positionals;
  const suite = kinds.get(kind);
  if (suite === undefined) throw new CommandError(`"${kind}" is no suite: allowed are ${[...kinds.keys()].join(', ')}`);
  if (file === '' || rest.length > 0) throw new CommandError('name one file: npm run eval -- suite <kind> <file>');
  const queries = readQueries(file);
  const dataSet = basename(file).replace(/\.jsonl?$/, '');
  const before = values.baseline === undefined ? undefined : readBaseline(values.baseline);
  await using mesh = await connectMesh(context, values);
  await putDataSet(mesh, dataSet, queries);
  const template = { query: '-', corpora: values.corpus === undefined ? [] : [values.corpus] };
  const ask = () => runDataSet(mesh, { dataSet, suite, template, withQuestions: true });
  const run = await ask();
  const earlier = before?.sets[dataSet];
  const change = earlier === undefined ? undefined : await compareWithBaseline(run, earlier, ask);
  if (values['write-baseline'] !== undefined)
    writeBaseline(values['write-baseline'], { [dataSet]: toBaselineSet(run) });
  if (values.json) printJson({ run: toJson(EvaluationRunSchema, run), change });
  else process.stdout.write(describeRun(run) + describeComparison(change, before !== undefined));
  if (change?.isSignificantDrop === true) return 3;
  return run.failedCount > 0 ? 2 : 0;
}

function describeComparison(change: Parameters<typeof describeChange>[0] | undefined, isWanted: boolean): string {
  if (change !== undefined) return describeChange(change);
  return isWanted ? '  the baseline does not have this set\n' : '';
}

/** Reads judged questions, one in a line. Throws CommandError with the number of a line that is none. */
function readQueries(file: string): JudgedQuery[] {
  if (!existsSync(file))
    throw new CommandError(`${file} does not exist: a suite has a file with a JudgedQuery in each line`);
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      try {
        return [fromJson(JudgedQuerySchema, JSON.parse(line))];
      } catch (error) {
        throw new CommandError(`${file}:${index + 1} is no JudgedQuery: ${(error as Error).message}`);
      }
    });
}
