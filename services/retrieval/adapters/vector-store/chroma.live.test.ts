import { afterAll, beforeAll, describe } from 'vitest';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { vectorLeakSuite } from '../../suites/leak.suite.ts';
import { type RestartableServer, settingsOf, startRestartable } from '../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../suites/vector-store.suite.ts';
import { adapter } from './chroma.ts';

const command = process.env.RAGMESH_TEST_CHROMA ?? 'chroma';
const advice = 'npm install --global chromadb, or RAGMESH_TEST_CHROMA as its command';

describe.skipIf(!hasCommand(command) && skipped('chroma', 24, advice))('Chroma', () => {
  let server: RestartableServer;
  beforeAll(async () => {
    const args = (port: number, folder: string) => [
      'run',
      '--path',
      folder,
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
    ];
    const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/api/v2/heartbeat`)).ok;
    server = await startRestartable({ command, args, isReady });
  });
  afterAll(() => server.close());

  const open = async () => {
    const given = settingsOf(adapter, { url: `http://127.0.0.1:${server.port}` });
    return adapter.create(given, { folder: '', threads: undefined as never });
  };
  vectorStoreSuite('chroma', open, { server: () => server });
  vectorLeakSuite('chroma', open);
});
