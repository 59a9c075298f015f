import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Stage, UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { RerankService, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf, unavailable } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import type { Named } from '#kit/host/config/named-adapters.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startLoopback } from '#kit/testing/http.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { rerank } from './index.ts';
import type { RerankBatch, RerankModel } from './models/rerank-model.ts';
import { createRerank } from './service.ts';
import { failureOf } from './testing/vendor.ts';

describe.each(['grpc', 'local'] as const)('over %s', (face) => {
  let mesh: TestMesh;
  let options: CallOptions;
  beforeAll(async () => {
    mesh = await startTestMesh([rerank]);
    options = await mesh.as();
  });
  afterAll(() => mesh.close());
  const client = () => (face === 'grpc' ? mesh.grpcClient(RerankService) : mesh.client(RerankService));

  test('scores of every candidate come once, then the end with model and scale', async () => {
    const candidates = Array.from({ length: 600 }, (_, index) => ({ text: `Section ${index} about refunds` }));
    const messages = await collect(client().rerank({ query: 'section 599', candidates }, options));
    const scored = messages.flatMap(({ event }) => (event.case === 'scored' ? event.value.passages : []));
    expect(scored.map(({ index }) => index).sort((a, b) => a - b)).toEqual([...candidates.keys()]);
    expect(scored.reduce((best, passage) => (passage.score > best.score ? passage : best)).index).toBe(599);
    expect(messages.at(-1)?.event).toMatchObject({ case: 'done', value: { model: 'lexical', scale: ScoreScale.UNIT } });
  });

  test('an unknown model is refused without a list of those that there are', async () => {
    const refused = collect(client().rerank({ model: 'bge', query: 'a', candidates: [{ text: 'a' }] }, options));
    const error = await refused.then(undefined, (thrown: unknown) => thrown);
    expect(errorInfoOf(error)).toMatchObject({ reason: 'MODEL_UNKNOWN', metadata: { model: 'bge' } });
    expect(String(error)).not.toContain('lexical');
  });
});

/** A model that gives these batches, or fails. */
const modelOf = (
  name: string,
  given: Partial<RerankModel> & { batches?: readonly RerankBatch[] },
): Named<RerankModel> => ({
  name,
  adapter: 'stand-in',
  model: {
    name,
    scale: ScoreScale.LOGIT,
    maxCandidates: 2,
    async *rerank() {
      yield* given.batches ?? [];
    },
    close: async () => {},
    ...given,
  },
});

const meshOf = (...models: Named<RerankModel>[]) => {
  const service = defineService({
    name: 'rerank',
    contracts: [RerankService],
    config: () => ({}),
    needs: {},
    create: async ({ log }) => ({ impl: createRerank(models, { log }), close: async () => {} }),
  });
  return startTestMesh([service]);
};

const candidates = [{ text: 'a' }, { text: 'b' }];
const both = [{ scores: [{ index: 1, score: -3 }] }, { scores: [{ index: 0, score: 4 }] }];
const failing = (error: unknown): Partial<RerankModel> => ({
  // It fails before anything is known.
  rerank: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) }),
});

test.each([
  ['twice', [{ scores: [{ index: 0, score: 1 }] }, { scores: [{ index: 0, score: 2 }] }]],
  ['that it was not given', [{ scores: [{ index: 2, score: 1 }] }]],
  ['not at all', [{ scores: [{ index: 1, score: 1 }] }]],
  ['by no number', [{ scores: [{ index: 1, score: Number.NaN }] }]],
])('a model that scores a candidate %s never passes for a right one', async (_, batches) => {
  await using mesh = await meshOf(modelOf('odd', { batches }));
  const error = await failureOf(
    collect(mesh.client(RerankService).rerank({ query: 'a', candidates }, await mesh.as())),
  );
  expect(errorInfoOf(error)?.reason).toBe('PROVIDER_REPLY_INVALID');
});

test('more candidates than the model takes are refused; tokens that it counts are summed', async () => {
  const usage = (promptTokens: number) => ({ promptTokens, completionTokens: 1, provenance: UsageProvenance.REPORTED });
  const batches = both.map((batch, index) => ({ ...batch, usage: usage(5 + index) }));
  await using mesh = await meshOf(modelOf('odd', { batches }));
  const options = await mesh.as();
  const call = (count: number) => {
    const many = Array.from({ length: count }, () => ({ text: 'a' }));
    return collect(mesh.client(RerankService).rerank({ query: 'a', candidates: many }, options));
  };
  await expect(call(3)).rejects.toThrow('at most 2 candidates');
  expect((await call(2)).at(-1)?.event).toMatchObject({
    case: 'done',
    value: { usage: { promptTokens: 11n, completionTokens: 2n }, fallbackFrom: '' },
  });
});

describe('if a model fails, the next one scores, and the end says so', () => {
  const spare = modelOf('spare', { batches: both });
  const callTo = async (model: Named<RerankModel>, options: { timeoutMs?: number } = {}) => {
    await using mesh = await meshOf(model, spare);
    const call = mesh.client(RerankService).rerank({ query: 'a', candidates }, await mesh.as(undefined, options));
    return (await collect(call)).map(({ event }) => event);
  };
  const isTold = {
    case: 'done',
    value: {
      model: 'spare',
      fallbackFrom: 'first',
      degradation: { stage: Stage.RERANK, effect: 'scored by spare; cut-offs for first do not hold' },
    },
  };

  test('also after it has scored a part, of which nothing goes out', async () => {
    const first = modelOf('first', {
      async *rerank() {
        yield { scores: [{ index: 0, score: 99 }] };
        throw unavailable('first', 'first broke off');
      },
    });
    const events = await callTo(first);
    const scores = events.flatMap((event) => (event.case === 'scored' ? event.value.passages : []));
    expect(scores.map(({ score }) => score)).toEqual([-3, 4]);
    expect(events.at(-1)).toMatchObject(isTold);
    expect(events.at(-1)).toMatchObject({ value: { degradation: { reason: 'first: first broke off' } } });
  });

  test.each([
    ['a reply that cannot be right', { batches: [{ scores: [{ index: 0, score: Number.NaN }] }] }],
    ['too many candidates for it', { batches: both, maxCandidates: 1 }],
    ['a bug', failing(new TypeError('text of a passage'))],
  ])('for %s', async (_, given) => {
    const events = await callTo(modelOf('first', given));
    expect(events.at(-1)).toMatchObject(isTold);
    expect(
      JSON.stringify(events.at(-1), (_key, value) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toContain('text of a passage');
  });

  test('in the remaining time, if it hangs', async () => {
    const hanging = modelOf('first', {
      async *rerank(_query, _candidates, signal) {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      },
    });
    expect((await callTo(hanging, { timeoutMs: 500 })).at(-1)).toMatchObject(isTold);
  });

  test('and if all fail, the error is that of the requested model', async () => {
    await using mesh = await meshOf(
      modelOf('a', failing(unavailable('a', 'a is away'))),
      modelOf('b', { maxCandidates: 1 }),
    );
    const call = mesh.client(RerankService).rerank({ query: 'a', candidates }, await mesh.as());
    await expect(collect(call)).rejects.toThrow('a is away');
  });

  test('but no model before the one that was named is tried, and a caller that left ends it all', async () => {
    const gone = modelOf('gone', failing(unavailable('gone', 'gone is away')));
    await using mesh = await meshOf(spare, gone);
    const options = await mesh.as();
    const call = mesh.client(RerankService).rerank({ query: 'a', candidates, model: 'gone' }, options);
    await expect(collect(call)).rejects.toThrow('gone is away');
  });
});

test('a provider is called over connections of the service, and the embedded model is its fallback', async () => {
  await using server = await startLoopback(({ body }) => {
    const { texts } = body as { texts: string[] };
    return { json: texts.map((_, index) => ({ index, score: index / texts.length })) };
  });
  const models = [
    { name: 'bge', adapter: 'tei', settings: { base_url: server.url, api_key: 'hf-secret' } },
    { adapter: 'lexical' },
  ];
  await using mesh = await startTestMesh([rerank], { config: { rerank: { models } } });
  const options = await mesh.as();
  const call = async () => {
    const messages = await collect(mesh.client(RerankService).rerank({ query: 'a', candidates }, options));
    return messages.at(-1)?.event.value;
  };
  expect(await call()).toMatchObject({ model: 'bge', scale: ScoreScale.UNIT, fallbackFrom: '' });
  server.next({ status: 429, json: { error: 'Model is overloaded', error_type: 'Overloaded' } });
  expect(await call()).toMatchObject({
    model: 'lexical',
    fallbackFrom: 'bge',
    degradation: { reason: 'bge: the rate limit of tei is reached (Overloaded)' },
  });
});
