import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { afterAll, expect, test, vi } from 'vitest';
import { startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import type { Retrieval } from '../service.ts';
import { retrievalWith, startRetrieval } from '../testing/retrieval.ts';

const { signal } = new AbortController();
const exporter = new InMemorySpanExporter();
const telemetry = startTelemetry(undefined, 'test', { exporter });

afterAll(() => telemetry.close());

test('a warm-up searches both stores, and neither calls another service nor leaves a metric, a span or a record', async () => {
  let running: Retrieval | undefined;
  const near = vi.fn();
  const texts: string[] = [];
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
        search(tenant, query, stop) {
          texts.push(query.text);
          return keywords.search(tenant, query, stop);
        },
      },
    }),
    (started) => {
      running = started;
    },
  );
  await using retrieval = await startRetrieval({ service });
  await retrieval.build('help', 'build-1', [['account', 'change the password of your account in the blue menu']]);
  const beforeEmbed = vi.spyOn(retrieval.standIns, 'beforeEmbed');
  const beforeRerank = vi.spyOn(retrieval.standIns, 'beforeRerank');
  const record = vi.spyOn(retrieval.standIns, 'onRecord');
  // Those of the process itself change all the time.
  const metrics = async () =>
    (await retrieval.mesh.host.metrics.registry.metrics())
      .split('\n')
      .filter((line) => !/process_|nodejs_|event_loop|disk_free/.test(line))
      .join('\n');
  const before = await metrics();
  await telemetry.flush();
  exporter.reset();

  await running?.warmUp(['acme'], signal);

  expect(near).toHaveBeenCalledWith(16);
  expect(texts.some((text) => text.includes('blue menu'))).toBe(true);
  expect(beforeEmbed).not.toHaveBeenCalled();
  expect(beforeRerank).not.toHaveBeenCalled();
  expect(await metrics()).toBe(before);
  expect(record).not.toHaveBeenCalled();
  await telemetry.flush();
  expect(exporter.getFinishedSpans()).toEqual([]);

  await retrieval.ask('password');
  expect(beforeEmbed).toHaveBeenCalled();
  expect(await metrics()).not.toBe(before);
  await telemetry.flush();
  expect(exporter.getFinishedSpans()).not.toEqual([]);
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
