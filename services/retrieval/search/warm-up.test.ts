import { expect, test, vi } from 'vitest';
import type { Retrieval } from '../service.ts';
import { retrievalWith, startRetrieval } from '../testing/retrieval.ts';

const { signal } = new AbortController();

test('a warm-up searches both stores, and neither calls another service nor leaves a trace in the metrics', async () => {
  let running: Retrieval | undefined;
  const near = vi.fn();
  const byWord = vi.fn();
  const service = retrievalWith(
    ({ vectors, keywords }) => ({
      vectors: {
        ...vectors,
        search(tenant, query, stop) {
          near(query.vector.length);
          return vectors.search(tenant, query, stop);
        },
      },
      keywords: {
        ...keywords,
        search(...args) {
          byWord();
          return keywords.search(...args);
        },
      },
    }),
    (started) => {
      running = started;
    },
  );
  await using retrieval = await startRetrieval({ service });
  await retrieval.build('help', 'build-1', [['account', 'change the password of your account']]);
  const beforeEmbed = vi.spyOn(retrieval.standIns, 'beforeEmbed');
  const beforeRerank = vi.spyOn(retrieval.standIns, 'beforeRerank');
  const metrics = () => retrieval.mesh.host.metrics.registry.getSingleMetricAsString('ai_retrieval_latency_ms');
  const before = await metrics();

  await running?.warmUp(['acme'], signal);

  expect(near).toHaveBeenCalledWith(16);
  expect(byWord).toHaveBeenCalled();
  expect(beforeEmbed).not.toHaveBeenCalled();
  expect(beforeRerank).not.toHaveBeenCalled();
  expect(await metrics()).toBe(before);

  await retrieval.ask('password');
  expect(beforeEmbed).toHaveBeenCalled();
  expect(await metrics()).not.toBe(before);
});

test('a tenant without an index, and a warm-up that is aborted, need no search', async () => {
  let running: Retrieval | undefined;
  const service = retrievalWith(
    (stores) => stores,
    (started) => {
      running = started;
    },
  );
  await using _ = await startRetrieval({ service });
  await expect(running?.warmUp(['no one'], signal)).resolves.toBeUndefined();
  await expect(running?.warmUp(['no one'], AbortSignal.abort(new Error('over')))).rejects.toThrow();
});
