import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import type { SemanticStore, SemanticStoreDeps } from '../../semantic/semantic-store.ts';
import { semanticStoreSuite } from '../../suites/semantic-store.suite.ts';

// A Qdrant that runs, at RAGMESH_TEST_QDRANT_URL, or the vendor's own local engine, started by the python of RAGMESH_TEST_QDRANT_PYTHON.

const url = process.env.RAGMESH_TEST_QDRANT_URL ?? '';
const python = process.env.RAGMESH_TEST_QDRANT_PYTHON ?? '';
const engine = fileURLToPath(new URL('../../../retrieval/testing/qdrant-local-engine.py', import.meta.url));
const isHere = url !== '' || (python !== '' && hasCommand(python));
const advice = 'its URL in RAGMESH_TEST_QDRANT_URL, or a python that has qdrant-client in RAGMESH_TEST_QDRANT_PYTHON';

describe.skipIf(!isHere && skipped('qdrant', 9, advice))('Qdrant', () => {
  let server: TestServer | undefined;
  beforeAll(async () => {
    if (url !== '') return;
    server = await startTestServer({ command: python, args: (port, folder) => [engine, String(port), folder] });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  semanticStoreSuite(
    'qdrant',
    (deps) =>
      createFromAdapter<SemanticStore, SemanticStoreDeps>(
        new URL('./', import.meta.url),
        'qdrant',
        { url: url || `http://127.0.0.1:${server?.port}`, timeout_ms: 60_000 },
        { ...deps, folder: '' },
        'cache.semantic_store',
      ),
    // The local engine takes its time.
    5,
  );
});
