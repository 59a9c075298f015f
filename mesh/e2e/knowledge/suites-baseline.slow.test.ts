import { readFileSync } from 'node:fs';
import { fromJson } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type EvaluationRun, EvaluationService, JudgedQuerySchema } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type Baseline, compareWithBaseline, toBaselineSet } from '../../cli/eval/baseline.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The router, the check of sentences and the search for personal data are as good as their committed figures on judged texts of their own.

const folder = new URL('../../../deployments/suite-gold/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), 'utf8');
const baseline = JSON.parse(read('baseline.json')) as Baseline;
const suites = {
  router: SuiteKind.ROUTER,
  verifier: SuiteKind.VERIFIER,
  'personal-data': SuiteKind.PERSONAL_DATA,
};

let mesh: WholeMesh;
beforeAll(async () => {
  mesh = await startWholeMesh({ sample: false });
});
afterAll(() => mesh.close());

async function measure(dataSet: string, suite: SuiteKind): Promise<EvaluationRun> {
  const roles = [Role.READER, Role.OPERATOR];
  const options = await mesh.as(testPrincipal({ tenant: 'demo', roles }));
  const client = mesh.client(EvaluationService);
  const lines = read(`${dataSet}.jsonl`).trim().split('\n');
  const queries = lines.map((line) => fromJson(JudgedQuerySchema, JSON.parse(line)));
  await client.putDataSet(
    (async function* () {
      yield { dataSet, queries };
    })(),
    options,
  );
  const request = { dataSet, suite, template: { query: '-' }, withQuestions: true };
  for await (const { event } of client.runEvaluation(request, options)) if (event.case === 'run') return event.value;
  throw new Error('no result came');
}

test.each(Object.entries(suites))('the suite "%s" is no worse than its baseline', async (name, suite) => {
  const run = await measure(name, suite);
  expect(run.failedCount).toBe(0);
  const set = baseline.sets[name];
  // What replaces the committed figures if a change is meant.
  const now = JSON.stringify(toBaselineSet(run));
  if (set === undefined) throw new Error(`baseline.json lacks ${name}: ${now}`);
  const { change, isSignificantDrop } = await compareWithBaseline(run, set);
  expect(isSignificantDrop, `changed by ${change.mean} (${change.low} to ${change.high}); now ${now}`).toBe(false);
});

test('a suite that loses a quarter of its texts is significantly worse', async () => {
  const run = await measure('router', SuiteKind.ROUTER);
  const questions = run.questions.map((one, at) => ({ ...one, scores: at % 4 === 0 ? [0] : one.scores }));
  const set = baseline.sets.router;
  if (set === undefined) throw new Error('baseline.json lacks router');
  expect((await compareWithBaseline({ ...run, questions }, set)).isSignificantDrop).toBe(true);
});
