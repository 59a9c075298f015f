import { inspect } from 'node:util';
import { type CallOptions, Code, type ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadRequestSchema, RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { EmbeddingService, Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { errorInfoOf, failedPrecondition, rpcError, unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { fromVector } from '#kit/base/vectors.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startLoopback } from '#kit/testing/http.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { stretched } from '#kit/testing/time.ts';
import { embedding } from './index.ts';
import { createEmbeddingMetrics } from './metrics.ts';
import { type EmbeddingModel, TextTooLongError } from './models/embedding-model.ts';
import { createEmbedding } from './service.ts';
import { failureOf, vectorOf } from './testing/vendor.ts';

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

  test('the model can be named, and an unknown one is refused without a list of those that there are', async () => {
    const { models } = await client().listModels({}, options);
    expect(models).toMatchObject([{ name: 'hashing-v2-256', dimensions: 256, maxInputTokens: 0, adapter: 'hashing' }]);
    const [message] = await collect(client().embed({ model: 'hashing-v2-256', inputs: ['a'] }, options));
    expect(message?.model).toBe('hashing-v2-256');
    const refused = collect(client().embed({ model: 'ada', inputs: ['a'] }, options));
    const error = await refused.then(undefined, (thrown: unknown) => thrown);
    expect(errorInfoOf(error)).toMatchObject({ reason: 'MODEL_UNKNOWN', metadata: { model: 'ada' } });
    expect(String(error)).not.toContain('hashing-v2-256');
  });
});

type Embed = EmbeddingModel['embed'];

/** A service with one model of one dimension, which embeds as given. */
const meshOf = (embed: Embed, given: Partial<EmbeddingModel> = {}) => {
  const model: EmbeddingModel = {
    name: 'odd',
    dimensions: 1,
    maxBatch: 1,
    maxBatchTokens: 0,
    maxConcurrent: 2,
    maxInputTokens: 0,
    embed,
    close: async () => {},
    ...given,
  };
  const service = defineService({
    name: 'embedding',
    contracts: [EmbeddingService],
    config: () => ({}),
    needs: {},
    create: async ({ random, metrics }) => ({
      impl: createEmbedding([{ name: 'odd', adapter: 'odd', model }], {
        random,
        metrics: createEmbeddingMetrics(metrics),
      }),
      close: async () => {},
    }),
  });
  return startTestMesh([service], { random: () => 0 });
};
const batchOf = (texts: readonly string[]) => ({
  vectors: texts.map((text) => Float32Array.of(text.length)),
  promptTokens: texts.length,
  reported: true,
});

test('a caller that leaves stops the work at the model', async () => {
  let begun = 0;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  await using mesh = await meshOf(async (texts, _purpose, signal) => {
    if (++begun > 1) {
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }).finally(resolve);
    }
    return batchOf(texts);
  });
  const inputs = Array.from({ length: 100 }, () => 'a');
  for await (const { usage } of mesh.grpcClient(EmbeddingService).embed({ inputs }, await mesh.as())) {
    expect(usage?.provenance).toBe(UsageProvenance.REPORTED);
    break;
  }
  await aborted;
  expect(begun).toBeLessThanOrEqual(3);
});

describe('a batch that fails', () => {
  const limited = (retryAfterMs: number) =>
    rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, 'slow down', { retryAfterMs });
  const call = async (mesh: TestMesh, inputs: string[], timeoutMs?: number) => {
    const options = await mesh.as(undefined, timeoutMs === undefined ? {} : { timeoutMs });
    return collect(mesh.client(EmbeddingService).embed({ inputs }, options));
  };

  test('because of capacity is retried after the wait that was requested, and the order stays', async () => {
    const times: number[] = [];
    await using mesh = await meshOf(async (texts) => {
      if (texts[0] === 'bb') {
        times.push(performance.now());
        if (times.length < 3) throw limited(150);
      }
      return batchOf(texts);
    });
    const messages = await call(mesh, ['a', 'bb', 'ccc']);
    expect(messages.map(({ vectors }) => fromVector(vectors[0])[0])).toEqual([1, 2, 3]);
    const [first = 0, second = 0, third = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(149);
    expect(third - second).toBeGreaterThanOrEqual(149);
  });

  test('is not waited for if the caller has no time for it', async () => {
    let count = 0;
    await using mesh = await meshOf(async () => {
      count++;
      throw limited(60_000);
    });
    const startedAt = performance.now();
    const error = await failureOf(call(mesh, ['a'], 5000));
    expect(performance.now() - startedAt).toBeLessThan(stretched(2000));
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect((error as ConnectError).findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(60n);
    expect(count).toBe(1);
  });

  test('three times is an error, and a permanent one is an error immediately', async () => {
    let count = 0;
    await using away = await meshOf(async () => {
      count++;
      throw unavailable('provider', 'away');
    });
    // In one process only the service retries.
    expect(await failureOf(call(away, ['a']))).toMatchObject({ code: Code.Unavailable });
    expect(count).toBe(3);
    count = 0;
    await using refused = await meshOf(async () => {
      count++;
      throw failedPrecondition(ErrorReason.PROVIDER_REFUSED, 'no');
    });
    expect(await failureOf(call(refused, ['a']))).toMatchObject({ code: Code.FailedPrecondition });
    expect(count).toBe(1);
  });

  test.each([
    [1, 'inputs[3]'],
    [undefined, 'inputs'],
  ])('for a text that is too long names the input of the request (%s)', async (textIndex, field) => {
    const embed: Embed = async (texts) => {
      if (texts.includes('long')) throw new TextTooLongError(textIndex);
      return batchOf(texts);
    };
    await using mesh = await meshOf(embed, { maxBatch: 2, maxInputTokens: 8 });
    const error = await failureOf(call(mesh, ['a', 'b', 'c', 'long']));
    expect(error).toMatchObject({ code: Code.InvalidArgument });
    expect((error as ConnectError).findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field).toBe(field);
    expect(String(error)).toContain(textIndex === undefined ? 'one of inputs[2] to inputs[3]' : 'inputs[3]');
    expect(String(error)).toContain('8 tokens');
  });
});

test('batches stay within the tokens that the model takes together', async () => {
  const sizes: number[] = [];
  const embed: Embed = async (texts) => {
    sizes.push(texts.length);
    return batchOf(texts);
  };
  await using mesh = await meshOf(embed, { maxBatch: 100, maxBatchTokens: 50, maxConcurrent: 1 });
  const inputs = [...Array.from({ length: 40 }, () => '运费由谁承担'), '很长'.repeat(100), 'a'];
  await collect(mesh.client(EmbeddingService).embed({ inputs }, await mesh.as()));
  expect(sizes).toEqual([8, 8, 8, 8, 8, 1, 1]);
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
    ['hashing-v2-256', 256],
  ]);
});

test.each([
  [[{ adapter: 'hashing', settings: { dimension: 384 } }], 'embedding.models[0].settings.dimension: unknown setting'],
  [[{ adapter: 'hashing', settings: { dimensions: 1 } }], 'is 1; allowed: 64 to 8192'],
  [[{ adapter: 'word2vec' }], 'no adapter "word2vec"; allowed: ark, azure-openai, dashscope, hashing'],
  [[{ adapter: 'hashing' }, { adapter: 'hashing' }], 'names another model already'],
])('a bad model in the configuration stops the start: %j', async (models, message) => {
  await expect(startTestMesh([embedding], { config: { embedding: { models } } })).rejects.toThrow(message);
});

test('providers are asked over connections of the service, and a key is in no error', async () => {
  await using server = await startLoopback(({ body }) => {
    const { input, model } = body as { input: string[]; model: string };
    const data = input.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text, 64) }));
    return { json: { object: 'list', data, model, usage: { prompt_tokens: 2, total_tokens: 2 } } };
  });
  const common = { base_url: server.url, model: 'm', dimensions: 64, max_batch: 2 };
  const models = [
    { name: 'sdk', adapter: 'openai-compatible', settings: { ...common, api_key: 'sk-secret' } },
    { name: 'http', adapter: 'xinference', settings: { ...common, api_key: 'sk-secret' } },
  ];
  await using mesh = await startTestMesh([embedding], { config: { embedding: { models } } });
  const options = await mesh.as();
  const call = (model: string) =>
    collect(mesh.client(EmbeddingService).embed({ model, inputs: ['a', 'b', 'c'] }, options));
  for (const model of ['sdk', 'http']) {
    const messages = await call(model);
    expect(messages.map(({ firstIndex, vectors }) => [firstIndex, vectors.length])).toEqual([
      [0, 2],
      [2, 1],
    ]);
    expect(messages[0]?.usage).toMatchObject({ promptTokens: 2n, provenance: UsageProvenance.REPORTED });
    server.next({ status: 401, json: { error: { message: 'Incorrect API key: sk-secret', code: 'invalid_api_key' } } });
    const error = await failureOf(call(model));
    expect(error).toMatchObject({ code: Code.FailedPrecondition });
    expect(inspect(error, { depth: 6 })).not.toContain('sk-secret');
  }
});

test('with truncate, a text that is too long is cut at its end and counted, and the others are left whole', async () => {
  const taken: string[] = [];
  const embed: Embed = async (texts) => {
    const textIndex = texts.findIndex(({ length }) => length > 40);
    if (textIndex >= 0) throw new TextTooLongError(textIndex);
    taken.push(...texts);
    return batchOf(texts);
  };
  await using mesh = await meshOf(embed, { maxInputTokens: 8 });
  const request = { inputs: ['short', 'a long text '.repeat(30)], truncate: true };
  const batches = await collect(mesh.client(EmbeddingService).embed(request, await mesh.as()));
  expect(batches.reduce((sum, { truncatedCount }) => sum + truncatedCount, 0)).toBe(1);
  expect(taken[0]).toBe('short');
  expect(request.inputs[1]?.startsWith(taken[1] as string)).toBe(true);
  expect(taken[1]?.length).toBeGreaterThan(10);
});

test('vectors that somebody keeps are asked for by their space: another model under the same name is not found by it', async () => {
  const embed: Embed = async (texts) => batchOf(texts);
  await using before = await meshOf(embed, { name: 'small-v1-1' });
  const [model] = (await before.client(EmbeddingService).listModels({}, await before.as())).models;
  const request = { model: model?.space ?? '', inputs: ['a'] };
  expect(await collect(before.client(EmbeddingService).embed(request, await before.as()))).toHaveLength(1);
  await using after = await meshOf(embed, { name: 'small-v2-1' });
  const error = await failureOf(collect(after.client(EmbeddingService).embed(request, await after.as())));
  expect(errorInfoOf(error)).toMatchObject({ reason: 'MODEL_UNKNOWN' });
});
