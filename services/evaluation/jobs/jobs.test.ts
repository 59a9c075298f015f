import type { CallOptions, Client } from '@connectrpc/connect';
import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type EvaluationJob, EvaluationJobService, EvaluationJobState } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { evaluation } from '../index.ts';
import { createSearch } from '../testing/stand-ins.ts';

const poll = { timeout: 40_000, interval: 20 };

async function start(options: Parameters<typeof startTestMesh>[1] = {}) {
  const { retrieval, probe } = createSearch();
  const mesh = await startTestMesh([retrieval, evaluation], options);
  const jobs = mesh.client(EvaluationJobService);
  const sets = mesh.client(EvaluationService);
  return { mesh, probe, jobs, sets, caller: await mesh.as(), [Symbol.asyncDispose]: () => mesh.close() };
}

const questions = (count: number, text = 'a b') =>
  Array.from({ length: count }, (_, at) => ({
    queryId: String(at).padStart(4, '0'),
    text,
    judgements: [{ documentId: 'b', grade: 1 }],
  }));

async function lastOf(jobs: Client<typeof EvaluationJobService>, jobId: string, caller: CallOptions) {
  let last: EvaluationJob | undefined;
  for await (const { job } of jobs.watchJob({ jobId }, caller)) last = job;
  return last;
}

test('a job runs without its caller; its progress is streamed, and its result is there later, with the scores of its questions', async () => {
  await using one = await start();
  await one.sets.addQueries({ dataSet: 'set', queries: questions(120) }, one.caller);
  const variants = [{ name: 'keywords', template: { query: 'set', rerank: false } }];
  const { job } = await one.jobs.startJob({ run: { dataSet: 'set', variants, withQuestions: true } }, one.caller);
  const jobId = job?.jobId ?? '';
  expect(job).toMatchObject({ request: { dataSet: 'set' }, attemptCount: expect.any(Number) });
  const ended = await lastOf(one.jobs, jobId, one.caller);
  expect(ended).toMatchObject({
    state: EvaluationJobState.SUCCEEDED,
    progress: { doneCount: 240, totalCount: 240 },
    attemptCount: 1,
    run: { queryCount: 120, failedCount: 0, comparisons: [{ name: 'keywords' }] },
  });
  expect(ended?.run?.questions).toHaveLength(120);
  expect(ended?.run?.dataSetVersion).toMatch(/^[0-9a-f]{16}$/);
  const { jobs } = await one.jobs.listJobs({}, one.caller);
  expect(jobs).toMatchObject([{ jobId, run: { queryCount: 120, questions: [] } }]);
  // It is a run as others are, once.
  const { runs } = await one.sets.listRuns({}, one.caller);
  expect(runs.map(({ runId }) => runId)).toEqual([ended?.run?.runId]);
});

test('a job whose process is replaced continues: what was asked before is not asked again', async () => {
  const first = await start();
  await first.sets.addQueries({ dataSet: 'set', queries: questions(30) }, first.caller);
  first.probe.beforeAnswer = async (_, signal) => {
    if (first.probe.requests.length > 10) await sleep(60_000, signal);
  };
  const { job } = await first.jobs.startJob({ run: { dataSet: 'set', concurrency: 1 } }, first.caller);
  await expect.poll(() => first.probe.requests.length, poll).toBe(11);
  await first.mesh.close(true);
  await using second = await start({ dataDir: first.mesh.dataDir });
  const ended = await lastOf(second.jobs, job?.jobId ?? '', second.caller);
  expect(ended).toMatchObject({ state: EvaluationJobState.SUCCEEDED, attemptCount: 2, run: { queryCount: 30 } });
  expect(second.probe.requests).toHaveLength(20);
});

test('a job whose data set has changed meanwhile is begun again', async () => {
  const first = await start();
  await first.sets.addQueries({ dataSet: 'set', queries: questions(12) }, first.caller);
  first.probe.beforeAnswer = async (_, signal) => {
    if (first.probe.requests.length > 10) await sleep(60_000, signal);
  };
  const { job } = await first.jobs.startJob({ run: { dataSet: 'set', concurrency: 1 } }, first.caller);
  await expect.poll(() => first.probe.requests.length, poll).toBe(11);
  await first.sets.addQueries({ dataSet: 'set', queries: questions(12, 'b a') }, first.caller);
  await first.mesh.close(true);
  await using second = await start({ dataDir: first.mesh.dataDir });
  const ended = await lastOf(second.jobs, job?.jobId ?? '', second.caller);
  expect(second.probe.requests).toHaveLength(12);
  expect(ended?.run?.metrics.map(({ mean }) => mean)).toEqual([1, 1, 1, 1]);
});

test('a job is cancelled while it runs and while it waits, and searches no more', async () => {
  await using one = await start();
  await one.sets.addQueries({ dataSet: 'set', queries: questions(5) }, one.caller);
  one.probe.beforeAnswer = (_, signal) => sleep(60_000, signal);
  const begin = async () => (await one.jobs.startJob({ run: { dataSet: 'set' } }, one.caller)).job?.jobId ?? '';
  const running = await begin();
  await expect.poll(() => one.probe.runningCount, poll).toBeGreaterThan(0);
  const waiting = await begin();
  const { job } = await one.jobs.cancelJob({ jobId: waiting }, one.caller);
  expect(job).toMatchObject({ state: EvaluationJobState.CANCELLED, attemptCount: 0 });
  await one.jobs.cancelJob({ jobId: running }, one.caller);
  expect(await lastOf(one.jobs, running, one.caller)).toMatchObject({ state: EvaluationJobState.CANCELLED });
  await expect.poll(() => one.probe.runningCount, poll).toBe(0);
  expect((await one.sets.listRuns({}, one.caller)).runs).toEqual([]);
});

test('a tenant has ten open jobs at most, one of them runs, and another tenant does not wait for them', async () => {
  await using one = await start();
  const other = await one.mesh.as(testPrincipal({ tenant: 'other' }));
  for (const caller of [one.caller, other])
    await one.sets.addQueries({ dataSet: 'set', queries: questions(1) }, caller);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  one.probe.beforeAnswer = () => released;
  const begin = (caller: CallOptions) => one.jobs.startJob({ run: { dataSet: 'set' } }, caller);
  const began = await Promise.all(Array.from({ length: 10 }, () => begin(one.caller)));
  await expect(begin(one.caller)).rejects.toMatchObject({ code: Code.ResourceExhausted });
  await begin(other);
  await expect.poll(() => [...one.probe.tenants].sort(), poll).toEqual(['acme', 'other']);
  expect(one.probe.mostRunningCount).toBe(2);
  release();
  for (const { job } of began) {
    const ended = await lastOf(one.jobs, job?.jobId ?? '', one.caller);
    expect(ended?.state).toBe(EvaluationJobState.SUCCEEDED);
  }
});

test('a job that every attempt would fail says why; what is missing is refused before', async () => {
  await using one = await start();
  await one.sets.addQueries({ dataSet: 'set', queries: questions(2, 'gone') }, one.caller);
  const { job } = await one.jobs.startJob({ run: { dataSet: 'set' } }, one.caller);
  expect(await lastOf(one.jobs, job?.jobId ?? '', one.caller)).toMatchObject({
    state: EvaluationJobState.FAILED,
    failure: { reason: 'CORPUS_NOT_FOUND', message: 'no corpus "gone"' },
  });
  const missing = one.jobs.startJob({ run: { dataSet: 'none' } }, one.caller);
  await expect(missing).rejects.toMatchObject({ code: Code.NotFound });
});

test('jobs belong to their tenant, and only an operator starts, sees and cancels them', async () => {
  await using one = await start();
  await one.sets.addQueries({ dataSet: 'set', queries: questions(2) }, one.caller);
  const jobId = (await one.jobs.startJob({ run: { dataSet: 'set' } }, one.caller)).job?.jobId ?? '';
  const stranger = await one.mesh.as(testPrincipal({ tenant: 'other' }));
  expect((await one.jobs.listJobs({}, stranger)).jobs).toEqual([]);
  await expect(lastOf(one.jobs, jobId, stranger)).rejects.toMatchObject({ code: Code.NotFound });
  await expect(one.jobs.cancelJob({ jobId }, stranger)).rejects.toMatchObject({ code: Code.NotFound });
  const reader = await one.mesh.as(testPrincipal({ roles: [Role.READER, Role.EDITOR, Role.AUDITOR] }));
  for (const call of [
    () => one.jobs.startJob({ run: { dataSet: 'set' } }, reader),
    () => one.jobs.listJobs({}, reader),
    () => one.jobs.cancelJob({ jobId }, reader),
    () => lastOf(one.jobs, jobId, reader),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: Code.PermissionDenied });
  }
});
