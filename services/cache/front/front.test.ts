import { afterEach, beforeEach, expect, test } from 'vitest';
import { CacheService } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type InnerGroup, startInnerGroup } from '#kit/testing/group.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { cache } from '../index.ts';
import { answerEvents, type CacheClient, fillWith, lookUp } from '../testing/cache.ts';

// The cache in a group: what a worker serves from its copies is what the owner would serve.

let group: InnerGroup;
let clients: CacheClient[];
let options: Awaited<ReturnType<InnerGroup['owner']['as']>>;
beforeEach(async () => {
  group = await startInnerGroup([cache], 2);
  clients = group.workers.map((worker) => worker.grpcClient(CacheService));
  options = await group.owner.as();
});
afterEach(() => group[Symbol.asyncDispose]());

const clientOf = (index: number) => clients[index] as CacheClient;

async function store(question: string, text: string, refresh = false): Promise<void> {
  const { leaseId } = await lookUp(clientOf(0), options, question, undefined, refresh);
  expect(await fillWith(clientOf(1), options, leaseId ?? '', answerEvents(text))).toBe(true);
}

/** Looks up until the worker has a copy, which it makes after its answer. */
async function copied(index: number, question: string): Promise<void> {
  const { metrics } = (group.workers[index] as InnerGroup['owner']).host;
  const hitsHere = async () =>
    (await metrics.registry.getSingleMetric('ai_cache_hit_total')?.get())?.values.find(
      ({ labels }) => labels.layer === 'memory',
    )?.value ?? 0;
  const before = await hitsHere();
  await expect
    .poll(async () => {
      await lookUp(clientOf(index), options, question);
      return (await hitsHere()) - before;
    })
    .toBeGreaterThan(0);
}

test('an answer that one worker has filled is found by the other, then served from its copy', async () => {
  await store('when?', 'tomorrow');
  for (const index of [0, 1]) {
    expect(await lookUp(clientOf(index), options, 'when?')).toMatchObject({
      text: 'tomorrow',
      layer: CacheLayer.MEMORY,
    });
    await copied(index, 'when?');
    expect(await lookUp(clientOf(index), options, 'when?')).toMatchObject({
      text: 'tomorrow',
      layer: CacheLayer.MEMORY,
    });
  }
});

test('an invalidation by one worker ends the copies of all when it returns', async () => {
  await store('when?', 'tomorrow');
  for (const index of [0, 1]) await copied(index, 'when?');
  await clientOf(0).invalidate({ target: { case: 'documentId', value: 'd1' } }, options);
  for (const index of [1, 0]) {
    const { text, leaseId = '' } = await lookUp(clientOf(index), options, 'when?');
    expect(text).toBe('');
    await fillWith(clientOf(index), options, leaseId, [], { case: 'abandon', value: {} } as never);
  }
});

test('an answer that replaces another one is served instead of the copies of that', async () => {
  await store('when?', 'tomorrow');
  for (const index of [0, 1]) await copied(index, 'when?');
  await store('when?', 'today', true);
  for (const index of [0, 1]) expect((await lookUp(clientOf(index), options, 'when?')).text).toBe('today');
});

test('copies are found only by callers who see the same', async () => {
  await store('when?', 'tomorrow');
  await copied(0, 'when?');
  const other = await group.owner.as(testPrincipal({ tenant: 'bolt' }));
  expect((await lookUp(clientOf(0), other, 'when?')).text).toBe('');
});

test('hits of copies are in the statistics of the tenant', async () => {
  await store('when?', 'tomorrow');
  await copied(1, 'when?');
  const { layers, lookupCount } = await clientOf(1).getStats({}, options);
  const hitCount = layers.find(({ layer }) => layer === CacheLayer.MEMORY)?.hitCount ?? 0n;
  expect(hitCount).toBe(lookupCount - 1n);
});
