import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type Baseline, type BaselineSet, compareWithBaseline } from '../cli/eval/baseline.ts';
import { readEvaluationSet, sampleFolder } from '../cli/eval/data.ts';
import { startWholeMesh, type WholeMesh } from './testing/whole-mesh.ts';

// Retrieval over the sample is as good as its committed figures: `npm run eval -- --write-baseline <file>` renews them.

const path = fileURLToPath(new URL('../../deployments/sample-gold/baseline.json', import.meta.url));
const baseline = (JSON.parse(readFileSync(path, 'utf8')) as Baseline).sets['sample-gold'] as BaselineSet;
let mesh: WholeMesh;
beforeAll(async () => {
  mesh = await startWholeMesh();
});
afterAll(() => mesh.close());

test('retrieval over the sample is no worse than its baseline', async () => {
  const { queries } = readEvaluationSet(sampleFolder, []);
  const roles = [Role.READER, Role.OPERATOR];
  const options = await mesh.as(testPrincipal({ tenant: 'demo', groups: ['staff', 'merchant'], roles }));
  const client = mesh.client(EvaluationService);
  const dataSet = 'sample-gold';
  await client.putDataSet(
    (async function* () {
      yield { dataSet, queries };
    })(),
    options,
  );
  const measure = async (): Promise<EvaluationRun> => {
    const request = { dataSet, template: { query: '-', corpora: ['shop'] }, withQuestions: true };
    for await (const { event } of client.runEvaluation(request, options)) if (event.case === 'run') return event.value;
    throw new Error('no result came');
  };
  // The first run reads the corpus into memory.
  await measure();
  const run = await measure();
  expect(run.failedCount).toBe(0);
  const { change, isSignificantDrop } = await compareWithBaseline(run, baseline, measure);
  expect(isSignificantDrop, `nDCG@10 changed by ${change.mean} (${change.low} to ${change.high})`).toBe(false);
}, 60_000);
