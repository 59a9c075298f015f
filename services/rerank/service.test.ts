import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RerankService, ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { defineService } from '#kit/define-service.ts';
import { errorInfoOf } from '#kit/errors.ts';
import { collect } from '#kit/streams.ts';
import { startTestMesh, type TestMesh } from '#kit/testing.ts';
import { rerank } from './index.ts';
import type { RerankBatch, RerankModel } from './rerank-model.ts';
import { createRerank } from './service.ts';

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

  test('an unknown model is refused with those that there are', async () => {
    const refused = collect(client().rerank({ model: 'bge', query: 'a', candidates: [{ text: 'a' }] }, options));
    const error = await refused.then(undefined, (thrown: unknown) => thrown);
    expect(errorInfoOf(error)).toMatchObject({ reason: 'MODEL_UNKNOWN', metadata: { model: 'bge' } });
    expect(String(error)).toContain('lexical');
  });
});

const meshOf = (batches: readonly RerankBatch[]) => {
  const model: RerankModel = {
    name: 'odd',
    scale: ScoreScale.LOGIT,
    maxCandidates: 2,
    async *rerank() {
      yield* batches;
    },
    close: async () => {},
  };
  const service = defineService({
    name: 'rerank',
    contract: RerankService,
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: createRerank([{ name: 'odd', model }]), close: async () => {} }),
  });
  return startTestMesh([service]);
};

test.each([
  ['twice', [{ scores: [{ index: 0, score: 1 }] }, { scores: [{ index: 0, score: 2 }] }]],
  ['that it was not given', [{ scores: [{ index: 2, score: 1 }] }]],
  ['not at all', [{ scores: [{ index: 1, score: 1 }] }]],
])('a model that scores a candidate %s never passes for a right one', async (_, batches) => {
  await using mesh = await meshOf(batches);
  const messages = mesh
    .client(RerankService)
    .rerank({ query: 'a', candidates: [{ text: 'a' }, { text: 'b' }] }, await mesh.as());
  await expect(collect(messages)).rejects.toThrow('internal error');
});

test('more candidates than the model takes are refused; tokens that it counts are summed', async () => {
  const batches = [
    { scores: [{ index: 1, score: -3 }], promptTokens: 5 },
    { scores: [{ index: 0, score: 4 }], promptTokens: 6 },
  ];
  await using mesh = await meshOf(batches);
  const options = await mesh.as();
  const call = (count: number) => {
    const candidates = Array.from({ length: count }, () => ({ text: 'a' }));
    return collect(mesh.client(RerankService).rerank({ query: 'a', candidates }, options));
  };
  await expect(call(3)).rejects.toThrow('at most 2 candidates');
  expect((await call(2)).at(-1)?.event).toMatchObject({ case: 'done', value: { usage: { promptTokens: 11n } } });
});
