import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { defineService } from '#kit/define-service.ts';
import { errorInfoOf } from '#kit/errors.ts';
import { collect } from '#kit/streams.ts';
import { startTestMesh, type TestMesh } from '#kit/testing.ts';
import { fromVector } from '#kit/vectors.ts';
import type { EmbeddingModel } from './embedding-model.ts';
import { embedding } from './index.ts';
import { createEmbedding } from './service.ts';

describe.each(['grpc', 'local'] as const)('over %s', (face) => {
  let mesh: TestMesh;
  let options: CallOptions;
  beforeAll(async () => {
    mesh = await startTestMesh([embedding]);
    options = await mesh.as();
  });
  afterAll(() => mesh.close());
  const client = () => (face === 'grpc' ? mesh.grpcClient(EmbeddingService) : mesh.client(EmbeddingService));

  test('vectors of many texts come in batches, in the order of the texts', async () => {
    const inputs = Array.from({ length: 150 }, (_, index) => `第${index}条：退货与运费说明。`.repeat(20));
    const messages = await collect(client().embed({ inputs, purpose: Purpose.DOCUMENT }, options));
    expect(messages.map(({ firstIndex, vectors }) => [firstIndex, vectors.length])).toEqual([
      [0, 64],
      [64, 64],
      [128, 22],
    ]);
    const [alone] = await collect(client().embed({ inputs: [inputs[130] as string] }, options));
    expect(fromVector(messages[2]?.vectors[2])).toEqual(fromVector(alone?.vectors[0]));
    expect(messages[0]?.usage?.provenance).toBe(UsageProvenance.ESTIMATED);
    expect(Number(messages[0]?.usage?.promptTokens)).toBeGreaterThan(64 * 100);
  });

  test('the model can be named, and an unknown one is refused with those that there are', async () => {
    const { models } = await client().listModels({}, options);
    expect(models).toMatchObject([{ name: 'hashing-v1-256', dimensions: 256, maxInputTokens: 0, adapter: 'hashing' }]);
    const [message] = await collect(client().embed({ model: 'hashing-v1-256', inputs: ['a'] }, options));
    expect(message?.model).toBe('hashing-v1-256');
    const refused = collect(client().embed({ model: 'ada', inputs: ['a'] }, options));
    const error = await refused.then(undefined, (thrown: unknown) => thrown);
    expect(errorInfoOf(error)).toMatchObject({ reason: 'MODEL_UNKNOWN', metadata: { model: 'ada' } });
    expect(String(error)).toContain('hashing-v1-256');
  });
});

test('a caller that leaves stops the work at the model', async () => {
  let begun = 0;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const slow: EmbeddingModel = {
    name: 'slow',
    dimensions: 1,
    maxBatch: 1,
    maxConcurrent: 2,
    maxInputTokens: 0,
    async embed(_texts, _purpose, signal) {
      if (++begun > 1) {
        await new Promise<void>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }).finally(resolve);
      }
      return { vectors: [new Float32Array(1)], promptTokens: 1, reported: true };
    },
    close: async () => {},
  };
  const service = defineService({
    name: 'embedding',
    contract: EmbeddingService,
    config: () => ({}),
    needs: {},
    create: async () => ({
      impl: createEmbedding([{ name: 'slow', adapter: 'slow', model: slow }]),
      close: async () => {},
    }),
  });
  await using mesh = await startTestMesh([service]);
  const inputs = Array.from({ length: 100 }, () => 'a');
  for await (const { usage } of mesh.grpcClient(EmbeddingService).embed({ inputs }, await mesh.as())) {
    expect(usage?.provenance).toBe(UsageProvenance.REPORTED);
    break;
  }
  await aborted;
  expect(begun).toBeLessThanOrEqual(3);
});

test('a model has the name and dimensions of the configuration', async () => {
  const small = { name: 'small', adapter: 'hashing', settings: { dimensions: 128 } };
  await using mesh = await startTestMesh([embedding], {
    config: { embedding: { models: [small, { adapter: 'hashing' }] } },
  });
  const options = await mesh.as();
  const { models } = await mesh.client(EmbeddingService).listModels({}, options);
  expect(models.map(({ name, dimensions }) => [name, dimensions])).toEqual([
    ['small', 128],
    ['hashing-v1-256', 256],
  ]);
});

test.each([
  [[{ adapter: 'hashing', settings: { dimension: 384 } }], 'embedding.models[0].settings.dimension: unknown setting'],
  [[{ adapter: 'hashing', settings: { dimensions: 1 } }], 'allowed are 64 to 8192'],
  [[{ adapter: 'word2vec' }], 'no adapter "word2vec"; allowed: hashing'],
  [[{ adapter: 'hashing' }, { adapter: 'hashing' }], 'names another model already'],
])('a bad model in the configuration stops the start: %j', async (models, message) => {
  await expect(startTestMesh([embedding], { config: { embedding: { models } } })).rejects.toThrow(message);
});
