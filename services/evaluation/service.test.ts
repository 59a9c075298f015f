import { describe, expect, test } from 'vitest';
import { type EvaluationRun, EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { defineService } from '#kit/define-service.ts';
import { startTestMesh, testPrincipal } from '#kit/testing.ts';
import { bootstrapMean, seededRandom } from './bootstrap.ts';
import { evaluation } from './index.ts';
import { hitAt, ndcgAt, recallAt, reciprocalRankAt } from './metrics.ts';

describe('metrics, worked out by hand', () => {
  const judged = {
    ranking: ['x', 'b', 'a', 'y'],
    grades: new Map([
      ['a', 2],
      ['b', 1],
      ['c', 1],
    ]),
  };
  test('nDCG weighs grades and ranks', () => {
    const gained = 1 / Math.log2(3) + 3 / Math.log2(4);
    const ideal = 3 + 1 / Math.log2(3) + 1 / Math.log2(4);
    expect(ndcgAt(10)(judged)).toBeCloseTo(gained / ideal, 12);
    expect(ndcgAt(1)(judged)).toBe(0);
    expect(ndcgAt(10)({ ranking: ['a', 'b', 'c'], grades: judged.grades })).toBe(1);
  });
  test('recall, reciprocal rank and hit', () => {
    expect(recallAt(10)(judged)).toBeCloseTo(2 / 3, 12);
    expect(recallAt(2)(judged)).toBeCloseTo(1 / 3, 12);
    expect(reciprocalRankAt(10)(judged)).toBe(0.5);
    expect([hitAt(1)(judged), hitAt(2)(judged)]).toEqual([0, 1]);
  });
  test('a question without an answer in the ranking scores nothing', () => {
    const missed = { ranking: [], grades: judged.grades };
    for (const metric of [ndcgAt(10), recallAt(10), reciprocalRankAt(10), hitAt(5)]) expect(metric(missed)).toBe(0);
  });
});

test('a bootstrap interval holds the mean, is repeatable, and narrows with more values', () => {
  const values = (count: number) => Array.from({ length: count }, (_, index) => index % 2);
  const few = bootstrapMean(values(20), seededRandom(1));
  const many = bootstrapMean(values(2000), seededRandom(1));
  expect(few).toEqual(bootstrapMean(values(20), seededRandom(1)));
  expect(few.mean).toBe(0.5);
  expect(few.low).toBeLessThan(0.5);
  expect(many.high - many.low).toBeLessThan(few.high - few.low);
});

/** Finds the document that a question names; fails on "broken". */
const retrieval = defineService({
  name: 'retrieval',
  contract: RetrievalService,
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      async *retrieve({ query, topK }) {
        if (query === 'broken') throw new Error('broken');
        const passages = ['other', query, query].map((documentId) => ({
          documentId,
          chunkId: `${documentId}-${topK}`,
        }));
        yield { event: { case: 'fused' as const, value: { passages } } };
      },
    },
    close: async () => {},
  }),
});

const query = (id: string, text = id) => ({ queryId: id, text, judgements: [{ documentId: text, grade: 1 }] });

test('a run asks every question, counts failures as nothing found, and is kept for its tenant', async () => {
  await using mesh = await startTestMesh([retrieval, evaluation]);
  const client = mesh.client(EvaluationService);
  const options = await mesh.as();
  const messages = async function* () {
    yield { dataSet: 'set', queries: [query('a'), query('b')] };
    yield { dataSet: 'set', queries: [query('c', 'broken'), query('d')] };
  };
  expect(await client.putDataSet(messages(), options)).toMatchObject({ queryCount: 4, judgementCount: 4 });
  let run: EvaluationRun | undefined;
  const done: number[] = [];
  for await (const { event } of client.runEvaluation({ dataSet: 'set', concurrency: 2 }, options)) {
    if (event.case === 'progress') done.push(event.value.doneCount);
    if (event.case === 'run') run = event.value;
  }
  expect(done).toEqual([1, 2, 3, 4]);
  expect(run).toMatchObject({ queryCount: 4, failedCount: 1 });
  expect(run?.metrics.find(({ name }) => name === 'MRR@10')?.mean).toBeCloseTo((3 * 0.5) / 4, 12);
  expect(run?.metrics.find(({ name }) => name === 'Hit@5')?.mean).toBeCloseTo(3 / 4, 12);
  const { runs } = await client.listRuns({ dataSet: 'set' }, options);
  expect(runs.map(({ runId }) => runId)).toEqual([run?.runId]);
  const stranger = await mesh.as(testPrincipal({ tenant: 'other' }));
  expect((await client.listRuns({}, stranger)).runs).toEqual([]);
  const foreign = (async () => {
    for await (const _ of client.runEvaluation({ dataSet: 'set' }, stranger));
  })();
  await expect(foreign).rejects.toThrow('no data set "set"');
});

test('a data set replaces the one before, and runs are listed by pages', async () => {
  await using mesh = await startTestMesh([retrieval, evaluation]);
  const client = mesh.client(EvaluationService);
  const options = await mesh.as();
  const put = (...queries: ReturnType<typeof query>[]) =>
    client.putDataSet(
      (async function* () {
        yield { dataSet: 'set', queries };
      })(),
      options,
    );
  await put(query('a'), query('b'));
  await put(query('z'));
  const ids: string[] = [];
  for (let index = 0; index < 3; index++) {
    for await (const { event } of client.runEvaluation({ dataSet: 'set' }, options)) {
      if (event.case !== 'run') continue;
      expect(event.value.queryCount).toBe(1);
      ids.unshift(event.value.runId);
    }
  }
  const first = await client.listRuns({ pageSize: 2 }, options);
  const second = await client.listRuns({ pageSize: 2, pageToken: first.nextPageToken }, options);
  expect([...first.runs, ...second.runs].map(({ runId }) => runId)).toEqual(ids);
  expect(second.nextPageToken).toBe('');
  await expect(put(query('a'), query('a'))).rejects.toThrow('comes twice');
});
