import { createServer, type Server } from 'node:http';
import type { DescService, JsonObject } from '@bufbuild/protobuf';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus as Status } from '#gen/health/v1/health_pb.ts';
import { EmbeddingService } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { RerankService } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { IndexWriterService } from '#gen/ragmesh/retrieval/v1/index_writer_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { defineService } from '#kit/host/define-service.ts';
import { startTestMesh, type TestMesh } from '#kit/testing/mesh.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { freePort, skipped } from '#kit/testing/server.ts';
import { retrieval } from '../index.ts';

/** A service that is only known by its contract. */
const elsewhere = (name: string, contract: DescService) =>
  defineService({
    name,
    contracts: [contract],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: {} as never, close: async () => {} }),
  });

/** An adapter in the configuration. */
interface Adapter {
  adapter: string;
  settings?: JsonObject;
}

const startWith = async (vectorStore?: Adapter, keywordStore?: Adapter): Promise<TestMesh> => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  const mesh = await startTestMesh([retrieval], {
    known: [retrieval, elsewhere('embedding', EmbeddingService), elsewhere('rerank', RerankService)],
    config: {
      addresses: { embedding: nowhere, rerank: nowhere },
      retrieval: { ...(vectorStore && { vectorStore }), ...(keywordStore && { keywordStore }) },
    },
  });
  onTestFinished(() => mesh.close());
  return mesh;
};
const readyPage = async ({ host }: TestMesh): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${host.adminPort}/readyz`);
  return [response.status, await response.text()];
};
const eventually = (mesh: TestMesh) => expect.poll(() => readyPage(mesh), { timeout: 20_000 });

/** Starts a server that has no collections and no rows, as Qdrant and Elasticsearch say it. */
const startEmptyStore = async (port: number): Promise<Server> => {
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' });
    const isCollections = request.url?.startsWith('/collections') === true;
    request.resume().on('end', () => {
      const body = isCollections
        ? {
            result: request.url === '/collections' ? { collections: [] } : { exists: false, count: 0 },
            status: 'ok',
            time: 0,
          }
        : { count: 0, version: { number: '9.0.0' }, _shards: { total: 0, successful: 0, failed: 0 } };
      response.end(JSON.stringify(body));
    });
  }).listen(port, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => stop(server));
  return server;
};
const stop = async (server: Server): Promise<void> => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
};

test('the embedded stores are ready', async () => {
  expect(await readyPage(await startWith())).toEqual([200, 'ready\n']);
});

test('with a dead Qdrant and a dead Elasticsearch, retrieval is not ready under any of its names until one is back', async () => {
  const [qdrantPort, elasticsearchPort] = [await freePort(), await freePort()];
  const mesh = await startWith(
    { adapter: 'qdrant', settings: { url: `http://127.0.0.1:${qdrantPort}` } },
    { adapter: 'elasticsearch', settings: { url: `http://127.0.0.1:${elasticsearchPort}` } },
  );
  await eventually(mesh).toEqual([
    503,
    expect.stringMatching(/^retrieval: vector_store: .*cannot be reached.*; keyword_store: .*cannot be reached/),
  ]);
  const health = mesh.grpcClient(Health);
  for (const { typeName } of [RetrievalService, IndexWriterService]) {
    expect((await health.check({ service: typeName })).status).toBe(Status.NOT_SERVING);
  }
  const statuses = health.watch({ service: RetrievalService.typeName })[Symbol.asyncIterator]();
  expect((await statuses.next()).value.status).toBe(Status.NOT_SERVING);
  expect((await fetch(`http://127.0.0.1:${mesh.host.adminPort}/healthz`)).status).toBe(200);

  const elasticsearch = await startEmptyStore(elasticsearchPort);
  await eventually(mesh).toEqual([
    200,
    expect.stringMatching(/^ready\nretrieval: degraded: vector_store: .*cannot be reached/),
  ]);
  expect((await statuses.next()).value.status).toBe(Status.SERVING);
  await statuses.return?.();
  await startEmptyStore(qdrantPort);
  await eventually(mesh).toEqual([200, 'ready\n']);
  await stop(elasticsearch);
  await eventually(mesh).toEqual([200, expect.stringMatching(/^ready\nretrieval: degraded: keyword_store: /)]);
});

describe.skipIf(!hasRedis && skipped('redis', 1, redisAdvice))('a real Redis', () => {
  test('that is dead is named, and its return is noticed', async () => {
    const port = await freePort();
    const mesh = await startWith({ adapter: 'redis', settings: { url: `redis://127.0.0.1:${port}` } });
    await eventually(mesh).toEqual([200, expect.stringMatching(/^ready\nretrieval: degraded: vector_store: /)]);
    await using first = await startRedis(port);
    await eventually(mesh).toEqual([200, 'ready\n']);
    await first.kill();
    await eventually(mesh).toEqual([200, expect.stringMatching(/^ready\nretrieval: degraded: vector_store: /)]);
  });
});
