import { afterAll, beforeAll, expect, test } from 'vitest';
import { Leg } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { type RetrievalMesh, startRetrieval, toChunk } from '../testing/retrieval.ts';

let retrieval: RetrievalMesh;

beforeAll(async () => {
  retrieval = await startRetrieval();
  const context = 'How do I get my money back?';
  await retrieval.build('help', 'build-1', [
    ['refunds', '', { chunks: [{ ...toChunk('refunds', 0, 'Refunds take a week.'), context }] }],
    ['parcels', 'Parcels take a day.'],
  ]);
});
afterAll(() => retrieval.close());

test('what a model has written about a chunk is searched and never shown', async () => {
  const { passages } = await retrieval.ask('money', { legs: [Leg.KEYWORD] });
  expect(passages.map(({ chunkId, text }) => [chunkId, text])).toEqual([['refunds#0', 'Refunds take a week.']]);
});

test('it is gone with the next content of its document', async () => {
  await retrieval.build('help', 'build-2', [['refunds', 'Refunds take two weeks.']]);
  expect((await retrieval.ask('money', { legs: [Leg.KEYWORD] })).passages).toEqual([]);
});
