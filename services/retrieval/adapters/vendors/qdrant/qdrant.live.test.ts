import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import { keywordStoreSuite } from '../../../suites/keyword-store.suite.ts';
import { keywordLeakSuite, vectorLeakSuite } from '../../../suites/leak.suite.ts';
import { type CheckedServer, startCheckedServer } from '../../../suites/qdrant-openapi.suite.ts';
import { type RestartableServer, settingsOf, startRestartable } from '../../../suites/store-server.suite.ts';
import { vectorStoreSuite } from '../../../suites/vector-store.suite.ts';
import { adapter as keywordAdapter } from '../../keyword-store/qdrant.ts';
import { adapter as vectorAdapter } from '../../vector-store/qdrant.ts';

// Both adapters against the vendor's own local engine, which has Qdrant's semantics, and every request and reply held to
// Qdrant's OpenAPI file. The local engine searches exactly, by Python, and takes its time.

const openapiFile = `${process.env.RAGMESH_TEST_SCHEMAS ?? ''}/qdrant-openapi.json`;
const python = process.env.RAGMESH_TEST_QDRANT_PYTHON ?? 'python3';
const script = fileURLToPath(new URL('../../../testing/qdrant-local-engine.py', import.meta.url));
const advice =
  'pip install qdrant-client, its python in RAGMESH_TEST_QDRANT_PYTHON, the folder of qdrant-openapi.json in RAGMESH_TEST_SCHEMAS';
const isHere = existsSync(openapiFile) && hasCommand(python);

describe.skipIf(!isHere && skipped('qdrant', 53, advice))('Qdrant', () => {
  let server: RestartableServer;
  let checked: CheckedServer;
  beforeAll(async () => {
    server = await startRestartable({ command: python, args: (port, folder) => [script, String(port), folder] });
    checked = await startCheckedServer(openapiFile, `http://127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    await checked.close();
    await server.close();
  });

  const deps = { folder: '', threads: undefined as never };
  const given = () => ({ url: checked.url, timeout_ms: 120_000 });
  const options = { server: () => server };
  const openVectors = async () => vectorAdapter.create(settingsOf(vectorAdapter, given()), deps);
  const openKeywords = async () => keywordAdapter.create(settingsOf(keywordAdapter, given()), deps);
  vectorStoreSuite('qdrant', openVectors, options);
  keywordStoreSuite('qdrant', openKeywords, options);
  vectorLeakSuite('qdrant', openVectors);
  keywordLeakSuite('qdrant', openKeywords);

  test('every request and reply conforms to the OpenAPI file', () => {
    expect([...new Set(checked.violations)].slice(0, 20)).toEqual([]);
    expect([...checked.calls.keys()].toSorted()).toMatchInlineSnapshot(`
      [
        "get /",
        "get /collections",
        "get /collections/{collection_name}/exists",
        "post /collections/{collection_name}/points/count",
        "post /collections/{collection_name}/points/delete",
        "post /collections/{collection_name}/points/payload",
        "post /collections/{collection_name}/points/query",
        "post /collections/{collection_name}/points/scroll",
        "put /collections/{collection_name}",
        "put /collections/{collection_name}/index",
        "put /collections/{collection_name}/points",
      ]
    `);
  });
});
