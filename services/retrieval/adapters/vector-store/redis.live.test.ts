import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe } from 'vitest';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../suites/leak.suite.ts';
import { type RestartableServer, settingsOf, startRestartable } from '../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../suites/vector-store.suite.ts';
import { adapter } from './redis.ts';

const command = process.env.RAGMESH_TEST_REDIS8 ?? 'redis-server';
const advice = 'Redis 8, as redis-server or as what RAGMESH_TEST_REDIS8 names';
const isHere =
  hasCommand(command) && /v=([89]|\d\d)\./.test(execFileSync(command, ['--version'], { encoding: 'utf8' }));

describe.skipIf(!isHere && skipped('redis8', 24, advice))('Redis', () => {
  let server: RestartableServer;
  beforeAll(async () => {
    const args = (port: number, folder: string) => ['--port', String(port), '--dir', folder, '--save', ''];
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    server = await startRestartable({ command, args: (port, folder) => [...args(port, folder), ...durable] });
  });
  afterAll(() => server.close());

  const open = async () => {
    const given = settingsOf(adapter, { url: `redis://127.0.0.1:${server.port}` });
    return adapter.create(given, { folder: '', threads: undefined as never });
  };
  vectorStoreSuite('redis', open, { server: () => server });
  vectorLeakSuite('redis', open);
});
