import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EvaluationService, type RunEvaluationRequest } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { GateCheckKind, GateFindingKind, GateMode, GateVerdict } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { errorInfoOf, notFound, toRpcError } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type IndexerMesh, jsonl, startIndexerMesh } from '../testing/indexer-mesh.ts';

/** Scores of two questions, nDCG@10 of both versions, and the interval of the difference. */
interface Judged {
  live: [number, number];
  checked: [number, number];
  interval: { low: number; high: number };
  degradedCount?: number;
}

/** Creates an evaluation service for tests; it knows the data sets of the corpora. */
function createJudge(judged: () => Judged) {
  const requests: RunEvaluationRequest[] = [];
  const groups: string[][] = [];
  const definition = defineService({
    name: 'evaluation',
    contracts: [EvaluationService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      close: async () => {},
      impl: {
        async *runEvaluation(request, { principal }) {
          if (!request.dataSet.startsWith('corpus-')) throw notFound('data set', request.dataSet);
          requests.push(request);
          groups.push(principal.groups);
          const { live, checked, interval, degradedCount = 0 } = judged();
          const mean = ([a, b]: [number, number]) => (a + b) / 2;
          const questionsOf = (scores: [number, number]) =>
            scores.map((score, index) => ({ queryId: `q${index}`, text: `question ${index}`, scores: [score] }));
          const name = 'nDCG@10';
          const value = {
            dataSet: request.dataSet,
            queryCount: 2,
            degradedCount,
            metrics: [{ name, mean: mean(checked) }],
            questions: questionsOf(checked),
            comparisons: [
              {
                name: 'live',
                metrics: [{ name, mean: mean(live) }],
                gains: [{ name, mean: mean(checked) - mean(live), ...interval }],
                questions: questionsOf(live),
              },
            ],
          };
          yield { event: { case: 'run' as const, value } };
        },
      },
    }),
  });
  return { definition, requests, groups };
}

const judged: Judged = { live: [1, 0.5], checked: [0.4, 0.6], interval: { low: -0.4, high: -0.1 } };
const judge = createJudge(() => judged);
let mesh: IndexerMesh;
let corpus: string;
let corpusCount = 0;

beforeAll(async () => {
  mesh = await startIndexerMesh({ services: [judge.definition], config: { maxRunningJobs: 2 } });
});
afterAll(() => mesh.mesh.close());
beforeEach(() => {
  corpus = `corpus-${++corpusCount}`;
  mesh.index.searches({});
});

const failedKinds = (job: { gate?: { checks: { passed: boolean; kind: GateCheckKind }[] } | undefined }) =>
  job.gate?.checks.filter(({ passed }) => !passed).map(({ kind }) => kind);
/** The metric of a mesh. */
const metricOf = async (name: string) => {
  const { metrics } = mesh.mesh.host;
  const line = (await metrics.registry.metrics()).split('\n').find((each) => each.startsWith(name));
  return Number(line?.split(' ').at(-1));
};

test('a version whose contents, size and access lists are sound is published with a report', async () => {
  const job = await mesh.ingest({ 'a.md': 'open', 'b.md': { content: 'closed', groups: ['staff'] } }, { corpus });
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, version: 1n });
  expect(job.gate).toMatchObject({ version: 1n, liveVersion: 0n, verdict: GateVerdict.PASSED });
  expect(job.gate?.checks.map(({ kind, checkedCount }) => [kind, Number(checkedCount)])).toEqual([
    [GateCheckKind.CONTENTS, 2],
    [GateCheckKind.SIZE, 2],
    // Once as a caller outside, once as one inside.
    [GateCheckKind.LEAKS, 2],
  ]);
});

test('a version that loses a large part of the live one is held, and an approval publishes it', async () => {
  await mesh.ingest({ 'a.jsonl': jsonl(40) }, { corpus });
  const held = await mesh.ingest({ 'a.jsonl': jsonl(25) }, { corpus, deleteMissing: true });
  expect(held).toMatchObject({ state: JobState.HELD, version: 0n });
  expect(failedKinds(held)).toEqual([GateCheckKind.SIZE]);
  expect(mesh.index.live(corpus).size).toBe(40);
  await expect.poll(() => metricOf('ragmesh_index_held_versions'), { timeout: 20_000 }).toBeGreaterThan(0);

  // Later jobs of the corpus wait, those of others do not.
  const waiting = await mesh.upload({ 'b.md': 'later' }, { corpus });
  expect(await mesh.ingest({ 'a.md': 'x' }, { corpus: 'shop' })).toMatchObject({ state: JobState.SUCCEEDED });
  expect((await mesh.client.getJob({ jobId: waiting }, await mesh.as())).job?.state).toBe(JobState.QUEUED);

  const { versions } = await mesh.gate.listHeldVersions({ corpus }, await mesh.as());
  expect(versions).toMatchObject([{ jobId: held.jobId, corpus, user: 'ann', report: { version: 2n } }]);
  const { report } = await mesh.gate.approveVersion(
    { jobId: held.jobId, comment: 'the old rows are gone' },
    await mesh.as(),
  );
  expect(report?.decision).toMatchObject({ approved: true, user: 'ann', comment: 'the old rows are gone' });
  expect(await mesh.finish(held.jobId)).toMatchObject({ state: JobState.SUCCEEDED, version: 2n });
  expect(await mesh.finish(waiting)).toMatchObject({ state: JobState.SUCCEEDED, version: 3n });
  expect(mesh.index.live(corpus).size).toBe(26);
  expect((await mesh.gate.listHeldVersions({ corpus }, await mesh.as())).versions).toEqual([]);
});

test('a rejected version is dropped, and so is a held one that its uploader cancels', async () => {
  await mesh.ingest({ 'a.jsonl': jsonl(40) }, { corpus });
  const hold = async () => {
    const job = await mesh.ingest({ 'a.jsonl': jsonl(5) }, { corpus, deleteMissing: true });
    expect(job.state).toBe(JobState.HELD);
    return job;
  };
  const { jobId } = await hold();
  await mesh.gate.rejectVersion({ jobId }, await mesh.as());
  expect(await mesh.finish(jobId)).toMatchObject({
    state: JobState.CANCELLED,
    gate: { decision: { approved: false } },
  });
  const again = await hold();
  expect((await mesh.client.cancelJob({ jobId: again.jobId }, await mesh.as())).job?.state).toBe(JobState.CANCELLED);
  expect(mesh.index.building()).toEqual([]);
  expect(mesh.index.live(corpus).size).toBe(40);
  const refusal = await mesh.gate.approveVersion({ jobId }, await mesh.as()).catch((error: unknown) => error);
  expect(errorInfoOf(refusal)?.reason).toBe('JOB_STATE');
});

test('a held version is checked again on request: held again, or live once it passes', async () => {
  await mesh.ingest({ 'a.jsonl': jsonl(40) }, { corpus });
  const { jobId, gate: first } = await mesh.ingest({ 'a.jsonl': jsonl(5) }, { corpus, deleteMissing: true });
  await mesh.gate.checkVersion({ jobId }, await mesh.as());
  const again = await mesh.finish(jobId);
  expect(again.state).toBe(JobState.HELD);
  expect(again.gate?.checks).toEqual(first?.checks);
  expect(mesh.index.live(corpus).size).toBe(40);
  await mesh.gate.putGate({ corpus, gate: { mode: GateMode.OFF } }, await mesh.as());
  await mesh.gate.checkVersion({ jobId }, await mesh.as());
  expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.SUCCEEDED, version: 2n });
  expect(mesh.index.live(corpus).size).toBe(5);
  const refusal = await mesh.gate.checkVersion({ jobId }, await mesh.as()).catch((error: unknown) => error);
  expect(errorInfoOf(refusal)?.reason).toBe('JOB_STATE');
});

test('an approved version whose corpus was rolled back meanwhile is built and checked again', async () => {
  await mesh.ingest({ 'a.jsonl': jsonl(20) }, { corpus });
  await mesh.ingest({ 'a.jsonl': jsonl(40) }, { corpus });
  const { jobId } = await mesh.ingest({ 'a.jsonl': jsonl(18) }, { corpus, deleteMissing: true });
  mesh.index.rollback(corpus, 1n);
  await mesh.gate.approveVersion({ jobId }, await mesh.as());
  const job = await mesh.finish(jobId);
  // Beside version 1, of 20 documents, nothing is lost.
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, gate: { liveVersion: 1n, verdict: GateVerdict.PASSED } });
  expect(mesh.index.live(corpus).size).toBe(18);
});

test('a version in which a search ignores access lists is held, and names the documents', async () => {
  mesh.index.searches({ leak: true });
  const job = await mesh.ingest({ 'a.md': 'open', 'b.md': { content: 'closed', groups: ['staff'] } }, { corpus });
  expect(job.state).toBe(JobState.HELD);
  expect(failedKinds(job)).toEqual([GateCheckKind.LEAKS]);
  expect(job.gate?.checks.find(({ passed }) => !passed)).toMatchObject({
    finding: '1 documents are found by callers outside of their access lists',
    findings: [{ kind: GateFindingKind.FOUND_OUTSIDE, count: 1n }],
    documentIds: ['b.md'],
  });
});

test('documents without a word hold a version if they are many', async () => {
  const job = await mesh.ingest({ 'a.txt': '--- …', 'b.txt': '***', 'c.txt': '• • •', 'd.md': 'text' }, { corpus });
  expect(job.state).toBe(JobState.HELD);
  expect(failedKinds(job)).toEqual([GateCheckKind.CONTENTS]);
  expect(await mesh.ingest({ 'a.txt': '--- …', 'd.md': 'text' }, { corpus: 'shop' })).toMatchObject({
    state: JobState.SUCCEEDED,
  });
});

test('an incomplete search neither proves nor refutes a version: the job tries again', async () => {
  mesh.index.searches({ lack: 'the embedding is away' });
  const jobId = await mesh.upload({ 'b.md': { content: 'closed', groups: ['staff'] } }, { corpus });
  for await (const { job } of mesh.client.watchJob({ jobId }, await mesh.as())) {
    if (job?.error.includes('the embedding is away')) break;
  }
  expect(mesh.index.live(corpus).size).toBe(0);
  mesh.index.searches({});
  expect(await mesh.finish(jobId)).toMatchObject({ state: JobState.SUCCEEDED, gate: { verdict: GateVerdict.PASSED } });
});

test('judged questions are asked of both versions, and a significant loss holds the new one with the worse questions', async () => {
  const operator = testPrincipal({ user: 'olga', groups: ['staff'] });
  const gate = { mode: GateMode.JUDGED, dataSets: [] };
  await mesh.gate.putGate({ corpus, gate }, await mesh.as(operator));
  expect(await mesh.ingest({ 'a.md': 'one' }, { corpus })).toMatchObject({ state: JobState.SUCCEEDED });
  expect(judge.requests).toEqual([]);

  const held = await mesh.ingest({ 'a.md': 'two' }, { corpus });
  expect(held.state).toBe(JobState.HELD);
  expect(held.gate).toMatchObject({
    figures: [{ dataSet: corpus, name: 'nDCG@10', live: 0.75, checked: 0.5, low: -0.4, high: -0.1 }],
    worseCount: 1,
    betterCount: 1,
    worseQuestions: [{ queryId: 'q0', text: 'question 0', live: 1 }],
  });
  const fell = { kind: GateFindingKind.FIGURE_FELL, name: 'nDCG@10', live: 0.75, checked: 0.5 };
  expect(held.gate?.checks.at(-1)).toMatchObject({ finding: 'nDCG@10 fell from 0.750 to 0.500', findings: [fell] });
  expect(judge.requests[0]?.template).toMatchObject({ corpora: [corpus], versions: [{ corpus, version: 2n }] });
  expect(judge.requests[0]?.variants[0]?.template).toMatchObject({ corpora: [corpus], versions: [] });
  // With the groups of the operator who set the gate, not with those of the uploader.
  expect(judge.groups).toEqual([['staff']]);
  await mesh.gate.rejectVersion({ jobId: held.jobId }, await mesh.as());

  // A loss within the noise is none.
  judged.interval.high = 0.02;
  await mesh.finish(held.jobId);
  const passed = await mesh.ingest({ 'a.md': 'three' }, { corpus });
  expect(passed).toMatchObject({ state: JobState.SUCCEEDED, gate: { verdict: GateVerdict.PASSED, worseCount: 1 } });
});

test('a gate without its questions, or without the service that asks them, holds versions and says what to do', async () => {
  await using alone = await startIndexerMesh({ absent: [judge.definition] });
  const gate = { mode: GateMode.JUDGED, dataSets: ['absent'] };
  for (const [indexer, finding] of [
    [mesh, 'PutDataSet'],
    [alone, 'evaluation service'],
  ] as const) {
    await indexer.ingest({ 'a.md': 'one' }, { corpus });
    await indexer.gate.putGate({ corpus, gate }, await indexer.as());
    const job = await indexer.ingest({ 'a.md': 'two' }, { corpus });
    expect(job.state).toBe(JobState.HELD);
    expect(job.gate?.checks.at(-1)).toMatchObject({ passed: false, finding: expect.stringContaining(finding) });
  }
});

test('the gate of a corpus can be off, and is for operators', async () => {
  expect(await mesh.gate.getGate({ corpus }, await mesh.as())).toMatchObject({
    gate: { mode: GateMode.INVARIANTS },
    changedBy: '',
  });
  await mesh.gate.putGate({ corpus, gate: { mode: GateMode.OFF } }, await mesh.as());
  expect(await mesh.gate.getGate({ corpus }, await mesh.as())).toMatchObject({
    gate: { mode: GateMode.OFF },
    changedBy: 'ann',
  });
  const job = await mesh.ingest({ 'a.md': 'one' }, { corpus });
  expect([job.state, job.gate]).toEqual([JobState.SUCCEEDED, undefined]);
  expect((await mesh.gate.putGate({ corpus }, await mesh.as())).gate?.mode).toBe(GateMode.INVARIANTS);

  const editor = await mesh.as(testPrincipal({ roles: [Role.EDITOR, Role.READER] }));
  const refused = [mesh.gate.listHeldVersions({}, editor), mesh.gate.approveVersion({ jobId: 'x' }, editor)];
  for (const call of await Promise.allSettled(refused)) {
    expect(toRpcError((call as PromiseRejectedResult).reason).code).toBe(Code.PermissionDenied);
  }
  // Another tenant sees neither the gate nor held versions.
  const other = await mesh.as(testPrincipal({ tenant: 'other' }));
  await mesh.gate.putGate({ corpus, gate: { mode: GateMode.OFF } }, other);
  expect((await mesh.gate.getGate({ corpus }, await mesh.as())).gate?.mode).toBe(GateMode.INVARIANTS);
});
