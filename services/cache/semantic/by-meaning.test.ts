import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { CacheService, InspectOutcome } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { toVector } from '#kit/base/vectors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, testPrincipal } from '#kit/testing/mesh.ts';
import { cache } from '../index.ts';
import { answerEvents, fillWith, lookUp, scopeOf } from '../testing/cache.ts';
import { syntheticPairs, testEmbedding, testVector } from '../testing/semantic.ts';
import { calibrate } from './calibration/calibrate.ts';
import { type Calibration, calibrationFile, writeCalibration } from './calibration/calibration.ts';

let root: string;
let calibration: Calibration;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'ragmesh-by-meaning-'));
  const embed = async (texts: readonly string[]) => texts.map((text) => testVector(text));
  const parts = { pairs: syntheticPairs(3000), source: 'x', embed, embedding: testEmbedding, nowMs: 1 };
  calibration = await calibrate(parts, new AbortController().signal);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A cache that is calibrated, and an embedding service whose failing and calls are seen. */
async function startCalibrated(semantic: object = {}) {
  const dataDir = mkdtempSync(join(root, 'data-'));
  mkdirSync(join(dataDir, 'cache'));
  await writeCalibration(join(dataDir, 'cache', calibrationFile), calibration);
  const embedding = { callCount: 0, isDown: false };
  const standIn = defineService({
    name: 'embedding',
    contracts: [EmbeddingService],
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: {
        async *embed({ inputs }) {
          embedding.callCount++;
          if (embedding.isDown) throw unavailable('model', 'away');
          yield { model: testEmbedding.model, vectors: inputs.map((text) => toVector(testVector(text))) };
        },
      },
      close: async () => {},
    }),
  });
  const config = { cache: { semantic: { timeoutMs: 5000, shadowShare: 0, ...semantic } } };
  const mesh = await startTestMesh([cache, standIn], { config, dataDir });
  onTestFinished(() => mesh.close(true));
  const client = mesh.client(CacheService);
  const options = await mesh.as();
  const store = async (question: string, text: string) => {
    const { leaseId = '' } = await lookUp(client, options, question);
    return fillWith(client, options, leaseId, answerEvents(text));
  };
  return { mesh, client, options, store, embedding };
}

const [asked, inOtherWords, anotherThing] = ['怎么申请退货', '请问如何申请退货？', '怎么取消退货'];

test('a question in other words gets the answer, one of another thing does not', async () => {
  const { client, options, store } = await startCalibrated();
  await store(asked, '七天之内。[1]');
  const hit = await lookUp(client, options, inOtherWords);
  expect(hit).toMatchObject({ layer: CacheLayer.SEMANTIC, text: '七天之内。[1]' });
  expect(hit.kinds).toEqual(['hit', 'sources', 'textDelta', 'citation', 'usage', 'done']);
  expect((await lookUp(client, options, anotherThing)).kinds).toEqual(['lease']);
  const stats = await client.getStats({}, options);
  expect(stats.layers.find(({ layer }) => layer === CacheLayer.SEMANTIC)?.hitCount).toBe(1n);
  expect(stats.falseHitRate).toBeUndefined();
});

test('neither another access nor another scope, nor what was invalidated, is given', async () => {
  const { mesh, client, options, store } = await startCalibrated();
  await store(asked, '七天之内。[1]');
  const staff = await mesh.as(testPrincipal({ groups: ['staff'] }));
  expect((await lookUp(client, staff, inOtherWords)).kinds).toEqual(['lease']);
  const other = scopeOf({ corpora: [{ corpus: 'help', revision: 'r2' }] });
  expect((await lookUp(client, options, inOtherWords, other)).kinds).toEqual(['lease']);
  await client.invalidate({ target: { case: 'corpus', value: 'help' } }, options);
  expect((await lookUp(client, options, inOtherWords)).kinds).toEqual(['lease']);
});

test('many callers with other words at the same time: one search by meaning, and the answer for all', async () => {
  const { client, options, store, embedding } = await startCalibrated();
  await store(asked, '七天之内。[1]');
  embedding.callCount = 0;
  const looked = await Promise.all(Array.from({ length: 30 }, () => lookUp(client, options, inOtherWords)));
  expect(looked.filter(({ text }) => text === '七天之内。[1]')).toHaveLength(30);
  expect(embedding.callCount).toBe(1);
});

test('a sampled hit is generated all the same, and compared', async () => {
  const { client, options, store } = await startCalibrated({ shadowShare: 1 });
  await store(asked, '七天之内可以退货。[1]');
  const { leaseId = '' } = await lookUp(client, options, inOtherWords);
  expect(await fillWith(client, options, leaseId, answerEvents('本店不卖灯泡。[1]', { documentId: 'd9' }))).toBe(true);
  expect(await client.getStats({}, options)).toMatchObject({ shadowCount: 1n, falseHitRate: 1 });
});

test('without its embedding model it is a miss', async () => {
  const { client, options, store, embedding } = await startCalibrated();
  await store(asked, '七天之内。[1]');
  embedding.isDown = true;
  expect((await lookUp(client, options, inOtherWords)).kinds).toEqual(['lease']);
});

test('an inspection reports what the layer compared', async () => {
  const { client, options, store } = await startCalibrated();
  await store(asked, '七天之内。[1]');
  const inspect = (question: string) => client.inspect({ question, scope: scopeOf() as never }, options);
  expect(await inspect(inOtherWords)).toMatchObject({
    outcome: InspectOutcome.MISS,
    semantic: 'hit',
    considered: [{ refusedBy: '' }],
  });
  const { semantic, considered } = await inspect(anotherThing);
  expect(semantic).toContain('refused');
  expect(considered[0]?.refusedBy).not.toBe('');
  expect((await inspect(asked)).semantic).toBe('');
});

test('without a calibration there is no such layer, and no embedding service is needed', async () => {
  await using mesh = await startTestMesh([cache]);
  const options = await mesh.as();
  const { layers } = await mesh.client(CacheService).getStats({}, options);
  expect(layers.map(({ layer }) => layer)).toEqual([CacheLayer.MEMORY, CacheLayer.DURABLE]);
});
