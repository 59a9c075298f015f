import { type CallOptions, type Client, Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { sleep } from '#kit/base/streams.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { evaluation } from './index.ts';
import { createSearch } from './testing/stand-ins.ts';

/** A question whose answer is the document `answer`. */
const query = (queryId: string, text: string, answer = 'a', grade = 1) => ({
  queryId,
  text,
  judgements: [{ documentId: answer, grade }],
});
type Query = ReturnType<typeof query>;

async function start(options: Parameters<typeof startTestMesh>[1] = {}) {
  const { retrieval, probe } = createSearch();
  const mesh = await startTestMesh([retrieval, evaluation], options);
  return { mesh, probe, ...(await clientsOf(mesh)), [Symbol.asyncDispose]: () => mesh.close() };
}

async function clientsOf(mesh: TestMesh) {
  const client = mesh.client(EvaluationService);
  const options = await mesh.as();
  return { client, options };
}

type Put = { client: Client<typeof EvaluationService>; options: CallOptions };

const put = ({ client, options }: Put, dataSet: string, ...batches: Query[][]) =>
  client.putDataSet(
    (async function* () {
      for (const queries of batches) yield { dataSet, queries };
    })(),
    options,
  );

async function run(
  { client, options }: Put,
  request: Parameters<Client<typeof EvaluationService>['runEvaluation']>[0],
): Promise<{ run: EvaluationRun; progress: string[] }> {
  const progress: string[] = [];
  for await (const { event } of client.runEvaluation(request, options)) {
    if (event.case === 'progress') progress.push(`${event.value.doneCount}/${event.value.totalCount}`);
    if (event.case === 'run') return { run: event.value, progress };
  }
  throw new Error('no result came');
}

const means = ({ metrics }: EvaluationRun) => Object.fromEntries(metrics.map(({ name, mean }) => [name, mean]));

test('a run asks every question, reports its progress, and scores documents, not passages', async () => {
  await using mesh = await start();
  const stored = await put(
    mesh,
    'set',
    [query('1', 'a b'), query('2', 'b a')],
    [query('3', 'b c'), query('4', 'b c a')],
  );
  expect(stored).toMatchObject({ queryCount: 4, judgementCount: 4 });
  const { run: result, progress } = await run(mesh, { dataSet: 'set' });
  expect(progress).toEqual(['1/4', '2/4', '3/4', '4/4']);
  expect(result).toMatchObject({ dataSet: 'set', queryCount: 4, failedCount: 0 });
  // Ranks 1, 2, none and 3; each document has two passages, which count once.
  expect(means(result)['nDCG@10']).toBeCloseTo((1 + 1 / Math.log2(3) + 0 + 1 / Math.log2(4)) / 4, 12);
  expect(means(result)['Recall@10']).toBeCloseTo(3 / 4, 12);
  expect(means(result)['MRR@10']).toBeCloseTo((1 + 1 / 2 + 0 + 1 / 3) / 4, 12);
  expect(means(result)['Hit@5']).toBeCloseTo(3 / 4, 12);
  for (const { mean, low, high } of result.metrics) expect(low <= mean && mean <= high).toBe(true);
  expect(Number(result.p99Us)).toBeGreaterThanOrEqual(Number(result.p50Us));
});

test('a run and its variants say how many questions lacked a stage of the search, and why', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a b'), query('2', 'late a'), query('3', 'a late')]);
  const variants = [{ name: 'other', template: { query: '-' } }];
  const { run: result } = await run(mesh, { dataSet: 'set', variants });
  const degraded = {
    degradedCount: 2,
    degradedStages: [{ stage: Stage.RERANK, questionCount: 2, reason: 'no result after 300 ms' }],
  };
  expect(result).toMatchObject({ queryCount: 3, failedCount: 0, ...degraded, comparisons: [degraded] });
});

test('the metrics have the figures of the latest run', async () => {
  await using mesh = await start({ clock: () => 1_800_000_000_000 });
  await put(mesh, 'set', [query('1', 'a b'), query('2', 'b a')]);
  const { run: result } = await run(mesh, { dataSet: 'set' });
  const text = await mesh.mesh.host.metrics.registry.metrics();
  const labels = 'tenant="acme",data_set="set"';
  expect(text).toContain(`ragmesh_evaluation_score{${labels},figure="nDCG@10"} ${means(result)['nDCG@10']}`);
  expect(text).toContain(`ragmesh_evaluation_run_timestamp_seconds{${labels}} 1800000000`);
});

test('the template says how to search, and enough passages for ten documents are asked for', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a'), query('2', 'b')]);
  const template = { query: '-', corpora: ['help'], topK: 5, rerank: false };
  const { run: result } = await run(mesh, { dataSet: 'set', template });
  expect(mesh.probe.requests.map(({ query }) => query).sort()).toEqual(['a', 'b']);
  for (const request of mesh.probe.requests)
    expect(request).toMatchObject({ corpora: ['help'], topK: 30, rerank: false });
  expect(result.template).toMatchObject({ corpora: ['help'], topK: 30, rerank: false });
  mesh.probe.requests.length = 0;
  await run(mesh, { dataSet: 'set', template: { ...template, topK: 100 } });
  expect(mesh.probe.requests[0]?.topK).toBe(100);
});

test('a question whose search fails counts as nothing found, and is counted', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a'), query('2', 'down'), query('3', 'a'), query('4', 'down')]);
  const { run: result } = await run(mesh, { dataSet: 'set' });
  expect(result).toMatchObject({ queryCount: 4, failedCount: 2 });
  expect(means(result)).toEqual({ 'nDCG@10': 0.5, 'Recall@10': 0.5, 'MRR@10': 0.5, 'Hit@5': 0.5 });
});

test('a failure that every question would share ends the run with it, and nothing is kept', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a'), query('2', 'gone')]);
  await expect(run(mesh, { dataSet: 'set' })).rejects.toMatchObject({ code: Code.NotFound });
  const operator = await mesh.mesh.as(testPrincipal({ roles: [Role.OPERATOR] }));
  await expect(run({ ...mesh, options: operator }, { dataSet: 'set' })).rejects.toMatchObject({
    code: Code.PermissionDenied,
    rawMessage: 'Retrieve needs the role "reader"',
  });
  expect((await mesh.client.listRuns({}, mesh.options)).runs).toEqual([]);
});

test('questions without an answer are left out, and the limit takes the first ones by id', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('3', 'c'), query('2', 'b'), query('0', 'zero', 'a', 0), query('1', 'a')]);
  const { run: result } = await run(mesh, { dataSet: 'set', limit: 2, concurrency: 1 });
  expect(result.queryCount).toBe(2);
  expect(mesh.probe.requests.map(({ query }) => query)).toEqual(['a', 'b']);
});

test('as many questions as requested are in flight at the same time, and no more', async () => {
  await using mesh = await start();
  mesh.probe.beforeAnswer = () => sleep(2);
  await put(
    mesh,
    'set',
    Array.from({ length: 40 }, (_, index) => query(String(index), 'a')),
  );
  await run(mesh, { dataSet: 'set', concurrency: 7 });
  expect(mesh.probe.mostRunningCount).toBe(7);
  mesh.probe.mostRunningCount = 0;
  await run(mesh, { dataSet: 'set' });
  expect(mesh.probe.mostRunningCount).toBe(4);
});

test('a run outlasts the token that it began with', async () => {
  let now = Date.now();
  await using mesh = await start({ clock: () => now });
  mesh.probe.beforeAnswer = async () => {
    now += 60_000;
    // The signer's cache reads its clock once in a millisecond.
    await sleep(2);
  };
  await put(
    mesh,
    'set',
    Array.from({ length: 6 }, (_, index) => query(String(index), 'a')),
  );
  const { run: result } = await run(mesh, { dataSet: 'set', concurrency: 1 });
  expect(result).toMatchObject({ queryCount: 6, failedCount: 0 });
});

test('a caller that leaves cancels the questions in flight, and nothing is stored', async () => {
  await using mesh = await start();
  const stopped: unknown[] = [];
  mesh.probe.beforeAnswer = async ({ query }, signal) => {
    if (query !== 'wait') return;
    await sleep(60_000, signal).catch((reason) => stopped.push(reason));
  };
  await put(mesh, 'set', [query('1', 'a'), ...Array.from({ length: 9 }, (_, index) => query(`2-${index}`, 'wait'))]);
  for await (const { event } of mesh.client.runEvaluation({ dataSet: 'set' }, mesh.options)) {
    expect(event.case).toBe('progress');
    break;
  }
  await expect.poll(() => mesh.probe.runningCount).toBe(0);
  // Three were in flight; a fourth may have begun when the first was answered.
  expect(stopped.length).toBeGreaterThanOrEqual(3);
  expect(mesh.probe.requests.length).toBeLessThanOrEqual(5);
  expect((await mesh.client.listRuns({}, mesh.options)).runs).toEqual([]);
});

test('more runs than the service accepts are refused with a time to try again', async () => {
  await using mesh = await start();
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  mesh.probe.beforeAnswer = () => released;
  await put(mesh, 'set', [query('1', 'a')]);
  const running = Array.from({ length: 4 }, () => run(mesh, { dataSet: 'set' }));
  await expect.poll(() => mesh.probe.runningCount).toBe(4);
  const error = await run(mesh, { dataSet: 'set' }).catch((thrown) => thrown);
  expect(error).toMatchObject({ code: Code.ResourceExhausted });
  expect(errorInfoOf(error)?.reason).toBe('OVERLOADED');
  release();
  await Promise.all(running);
  await run(mesh, { dataSet: 'set' });
});

test('data sets and runs belong to their tenant, and a run searches as its caller', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a')]);
  await run(mesh, { dataSet: 'set' });
  const other = { ...mesh, options: await mesh.mesh.as(testPrincipal({ tenant: 'other' })) };
  expect((await mesh.client.listRuns({}, other.options)).runs).toEqual([]);
  const error = await run(other, { dataSet: 'set' }).catch((thrown) => thrown);
  expect(errorInfoOf(error)).toMatchObject({ reason: 'RESOURCE_NOT_FOUND', metadata: { kind: 'data set', id: 'set' } });
  expect([...mesh.probe.tenants]).toEqual(['acme']);
  await put(other, 'set', [query('1', 'b')], [query('2', 'a')]);
  expect((await run(other, { dataSet: 'set' })).run.queryCount).toBe(2);
  expect((await run(mesh, { dataSet: 'set' })).run.queryCount).toBe(1);
});

test('runs are listed by pages, the latest first, of one data set or of all', async () => {
  await using mesh = await start();
  await put(mesh, 'one', [query('1', 'a')]);
  await put(mesh, 'two', [query('1', 'a')]);
  const ids: string[] = [];
  for (const dataSet of ['one', 'two', 'one', 'one']) ids.unshift((await run(mesh, { dataSet })).run.runId);
  const listed = async (dataSet: string) => {
    const pages: string[][] = [];
    let pageToken = '';
    do {
      const page = await mesh.client.listRuns({ dataSet, pageSize: 2, pageToken }, mesh.options);
      pages.push(page.runs.map(({ runId }) => runId));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return pages;
  };
  expect(await listed('')).toEqual([ids.slice(0, 2), ids.slice(2)]);
  expect(await listed('one')).toEqual([[ids[0], ids[1]], [ids[3]]]);
  expect(await listed('none')).toEqual([[]]);
  await expect(mesh.client.listRuns({ pageToken: 'x' }, mesh.options)).rejects.toMatchObject({
    code: Code.InvalidArgument,
  });
});

test('a data set atomically replaces the one of its name; a bad one changes nothing', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('1', 'a'), query('2', 'a')]);
  await put(mesh, 'set', [query('3', 'a')]);
  expect((await run(mesh, { dataSet: 'set' })).run.queryCount).toBe(1);
  const failing = mesh.client.putDataSet(
    (async function* () {
      yield { dataSet: 'set', queries: [query('4', 'a')] };
      yield { dataSet: 'other', queries: [query('5', 'a')] };
    })(),
    mesh.options,
  );
  await expect(failing).rejects.toThrow('data_set: is "other", and was "set" before');
  await expect(put(mesh, 'set', [query('1', 'a')], [query('1', 'b')])).rejects.toThrow('"1" is not unique');
  await expect(put(mesh, 'set')).rejects.toThrow('the upload is empty');
  await expect(put(mesh, 'set', [query('1', 'a', 'a', 0)])).rejects.toThrow('nothing can be scored');
  await run(mesh, { dataSet: 'set' });
  expect(mesh.probe.requests.at(-1)?.query).toBe('a');
  expect((await run(mesh, { dataSet: 'set' })).run.queryCount).toBe(1);
});

test('data sets and runs survive a restart', async () => {
  const first = await start();
  await put(first, 'set', [query('1', 'a')]);
  const { run: kept } = await run(first, { dataSet: 'set' });
  await first.mesh.close(true);
  await using second = await start({ dataDir: first.mesh.dataDir });
  expect((await second.client.listRuns({}, second.options)).runs).toEqual([kept]);
  await run(second, { dataSet: 'set' });
});

test('variants are asked the same questions, and compared with the run question by question', async () => {
  await using mesh = await start();
  await put(mesh, 'set', [query('2', 'b a'), query('1', 'a b'), query('3', 'a')]);
  const { run: result, progress } = await run(mesh, {
    dataSet: 'set',
    variants: [
      { name: 'same', template: { corpora: ['x'], query: '-' } },
      { name: 'one', template: { topK: 100, query: '-' } },
    ],
    withQuestions: true,
  });
  expect(progress.at(-1)).toBe('9/9');
  expect(result.comparisons.map(({ name }) => name)).toEqual(['same', 'one']);
  for (const { gains, metrics, questions } of result.comparisons) {
    expect(metrics.map(({ mean }) => mean)).toEqual(result.metrics.map(({ mean }) => mean));
    expect(gains.every(({ mean, low, high }) => mean === 0 && low === 0 && high === 0)).toBe(true);
    expect(questions.map(({ queryId }) => queryId)).toEqual(['1', '2', '3']);
  }
  expect(result.questions.map(({ queryId }) => queryId)).toEqual(['1', '2', '3']);
  const { runs } = await mesh.client.listRuns({}, mesh.options);
  expect(runs[0]?.questions).toEqual([]);
  expect(runs[0]?.comparisons).toHaveLength(2);
});
