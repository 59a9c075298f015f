import { expect, test } from 'vitest';
import { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { EvaluationJobService, EvaluationJobState } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { onPostgres } from '#kit/testing/on-postgres.ts';
import { evaluation } from '../index.ts';
import { createSearch } from '../testing/stand-ins.ts';

await onPostgres(9, async (server) => {
  await import('./jobs.test.ts');

  test('a job of a replica that stops without a word is continued by another one, and its late result does not count', async () => {
    const config = { storage: { database: await server.createDatabase() } };
    let now = Date.now();
    const lost = createSearch();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    // Its clock is behind: it renews a lease that has ended for the other.
    await using a = await startTestMesh([lost.retrieval, evaluation], { config, clock: () => now });
    const caller = await a.as();
    const queries = Array.from({ length: 20 }, (_, at) => ({
      ...{ queryId: `${at}`, text: 'a' },
      judgements: [{ documentId: 'a', grade: 1 }],
    }));
    await a.client(EvaluationService).addQueries({ dataSet: 'set', queries }, caller);
    lost.probe.beforeAnswer = () => released;
    const jobs = a.client(EvaluationJobService);
    const jobId = (await jobs.startJob({ run: { dataSet: 'set' } }, caller)).job?.jobId ?? '';
    await expect.poll(() => lost.probe.runningCount, { timeout: 40_000 }).toBe(4);
    const other = createSearch();
    await using b = await startTestMesh([other.retrieval, evaluation], { config, clock: () => now + 3_600_000 });
    const options = await b.as();
    let attempts = 0;
    for await (const { job } of b.client(EvaluationJobService).watchJob({ jobId }, options)) {
      attempts = job?.attemptCount ?? 0;
      if (job?.state === EvaluationJobState.SUCCEEDED) expect(job.run?.queryCount).toBe(20);
    }
    expect(attempts).toBe(2);
    expect(other.probe.requests).toHaveLength(20);
    now += 1;
    release();
    await sleep(500);
    const { runs } = await b.client(EvaluationService).listRuns({}, options);
    expect(runs).toHaveLength(1);
  });

  test('a job that runs in one replica is cancelled by another', async () => {
    const config = { storage: { database: await server.createDatabase() } };
    const running = createSearch();
    await using a = await startTestMesh([running.retrieval, evaluation], { config });
    const caller = await a.as();
    const queries = [{ queryId: '1', text: 'a', judgements: [{ documentId: 'a', grade: 1 }] }];
    await a.client(EvaluationService).addQueries({ dataSet: 'set', queries }, caller);
    running.probe.beforeAnswer = (_, signal) => sleep(60_000, signal);
    const jobId = (await a.client(EvaluationJobService).startJob({ run: { dataSet: 'set' } }, caller)).job?.jobId ?? '';
    await expect.poll(() => running.probe.runningCount, { timeout: 40_000 }).toBe(1);
    await using b = await startTestMesh([createSearch().retrieval, evaluation], { config });
    const options = await b.as();
    await b.client(EvaluationJobService).cancelJob({ jobId }, options);
    let state: EvaluationJobState | undefined;
    for await (const { job } of b.client(EvaluationJobService).watchJob({ jobId }, options)) state = job?.state;
    expect(state).toBe(EvaluationJobState.CANCELLED);
    expect(running.probe.runningCount).toBe(0);
  });
});
