import { expect, onTestFinished, test } from 'vitest';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { startIndexerMesh } from '../testing/indexer-mesh.ts';

const start = async (...args: Parameters<typeof startIndexerMesh>) => {
  const mesh = await startIndexerMesh(...args);
  onTestFinished(() => mesh.mesh.close());
  return mesh;
};
const base64 = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString('base64');
const record = (values: object = {}) => ({
  ...{ id: 'returns', title: 'Returns', updated: '2026-09-16', team: 'care', embedding_model: 'stand-in' },
  chunks: [
    { text: 'Parcels come back within 30 days.', heading_path: ['Time'], vector: base64(0, 3, 4, 0) },
    { text: '邮费由我们承担。', vector: base64(1, 0, 0, 0) },
  ],
  ...values,
});
const lines = (...records: object[]) => records.map((one) => JSON.stringify(one)).join('\n');

test('chunks and vectors of a bulk load are written as they are, and the model is not asked', async () => {
  const mesh = await start();
  expect(await mesh.ingest({ 'a.jsonl': lines(record()) })).toMatchObject({
    state: JobState.SUCCEEDED,
    progress: { indexedCount: 1n, chunkCount: 2n, failedCount: 0n },
  });
  expect(mesh.embedding.inputs).toEqual([]);
  const document = mesh.index.live('help').get('returns');
  expect(document?.chunks.map(({ text }) => text)).toEqual(['Parcels come back within 30 days.', '邮费由我们承担。']);
  expect(document?.chunks.map(({ headingPath }) => headingPath)).toEqual([['Time'], []]);
  const [first] = document?.chunks.map(({ vector }) => [...fromVector(vector)]) ?? [];
  expect(first?.map((value) => Number(value.toFixed(3)))).toEqual([0, 0.6, 0.8, 0]);
  const { text } = await mesh.client.getDocument({ corpus: 'help', documentId: 'returns' }, await mesh.as());
  expect(text).toBe('Parcels come back within 30 days.\n\n邮费由我们承担。');
});

test('the same load changes nothing, other vectors do', async () => {
  const mesh = await start();
  await mesh.ingest({ 'a.jsonl': lines(record()) });
  expect(await mesh.ingest({ 'a.jsonl': lines(record()) })).toMatchObject({
    version: 0n,
    progress: { unchangedCount: 1n },
  });
  const chunks = [{ text: 'Parcels come back within 30 days.', vector: base64(0, 0, 0, 1) }];
  expect(await mesh.ingest({ 'a.jsonl': lines(record({ chunks })) })).toMatchObject({
    version: 2n,
    progress: { changedCount: 1n },
  });
});

test('a record whose vectors do not fit the corpus fails alone', async () => {
  const mesh = await start();
  const broken = [
    { embedding_model: 'another' },
    { chunks: [{ text: 'x', vector: base64(1, 2) }] },
    { chunks: [{ text: 'x', vector: base64(0, 0, 0, 0) }] },
    { chunks: [{ text: 'x', vector: base64(Number.NaN, 0, 0, 0) }] },
    { chunks: [{ text: 'x', vector: 'AAA' }] },
    { chunks: [{ text: ' ', vector: base64(1, 0, 0, 0) }] },
    { chunks: [{ text: 'x', heading_path: 'Time', vector: base64(1, 0, 0, 0) }] },
    { chunks: [] },
    { chunks: [7] },
  ];
  const all = [...broken.map((values, index) => record({ id: `bad-${index}`, ...values })), record()];
  const job = await mesh.ingest({ 'a.jsonl': lines(...all) });
  expect(job).toMatchObject({ state: JobState.SUCCEEDED, progress: { indexedCount: 1n, failedCount: 9n } });
  const problems = (await mesh.failures(job.jobId)).map(({ message }) => message);
  expect(problems[0]).toContain('"another", and the embedding model is "stand-in"');
  expect(problems[1]).toContain('2 dimensions, and the model has 4');
  expect([...mesh.index.live('help').keys()]).toEqual(['returns']);
});

test('a record with personal data that a policy masks fails, because its vectors were made of it', async () => {
  const mesh = await start({ personalData: { policies: [{}] } });
  const [text, vector] = ['Write to jane.doe@gmail.com for help.', base64(1, 0, 0, 0)];
  const inText = record({ id: 'in-text', chunks: [{ text, vector }] });
  const inHeading = record({ id: 'in-heading', chunks: [{ text: 'Help', heading_path: [text], vector }] });
  const job = await mesh.ingest({ 'a.jsonl': lines(inText, inHeading, record({ id: 'plain' })) });
  const messages = (await mesh.failures(job.jobId)).map(({ message }) => message);
  expect(messages).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('personal data')));
  expect([...mesh.index.live('help').keys()]).toEqual(['plain']);
});
