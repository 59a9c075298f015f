import { describe, expect, onTestFinished, test } from 'vitest';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// What the admin port says of a Redis behind the cache, the limiter of the edge and the limits of the gateway.

const readyPage = async ({ host }: WholeMesh): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${host.adminPort}/readyz`);
  return [response.status, await response.text()];
};

describe.skipIf(!hasRedis && skipped('redis', 2, redisAdvice))('a Redis that goes away and comes back', () => {
  test.each([
    { failOpen: true, status: 200 },
    { failOpen: false, status: 503 },
  ])(
    'with fail_open $failOpen the process answers $status, and names each dependency',
    async ({ failOpen, status }) => {
      const server = await startRedis();
      onTestFinished(() => server[Symbol.asyncDispose]());
      const settings = { url: `redis://127.0.0.1:${server.port}` };
      const store = { adapter: 'redis', settings: { ...settings, fail_open: failOpen } };
      const redis = { adapter: 'redis', settings };
      const config = { cache: { durableStore: redis }, edge: { limiter: redis }, llmGateway: { limits: { store } } };
      const mesh = await startWholeMesh({ config: config as never, sample: false });
      onTestFinished(() => mesh.close());
      const page = () => expect.poll(() => readyPage(mesh), { timeout: 30_000 });
      await page().toEqual([200, 'ready\n']);

      await server.kill();
      const everyDependency = expect.stringMatching(
        /(?=[\s\S]*durable_store)(?=[\s\S]*limiter)(?=[\s\S]*limits\.store)/,
      );
      await page().toEqual([status, everyDependency]);

      const again = await startRedis(server.port);
      onTestFinished(() => again[Symbol.asyncDispose]());
      await page().toEqual([200, 'ready\n']);
    },
  );
});
