import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig, readConfigFile } from '#kit/host/config/config.ts';
import { printConfig } from '#kit/host/config/print-config.ts';
import { services } from '../../run.ts';
import { problemsOfFile } from './check.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragmesh-check-'));
const serviceFolder = new URL('../../../services/', import.meta.url);
afterAll(() => rmSync(folder, { recursive: true }));

async function problemsOf(yaml: string): Promise<string[]> {
  const path = join(folder, 'ragmesh.yaml');
  writeFileSync(path, yaml);
  const problems = await problemsOfFile({ path, env: {}, chosen: services, known: services });
  return problems.map(({ message }) => message);
}

test('a valid file has no problems', async () => {
  expect(await problemsOf('chat: { session_days: 7 }\n')).toEqual([]);
});

test('every error of a file is reported: keys, values, addresses, adapters, their settings, and what services refuse', async () => {
  const yaml = `
edge: { port: 70000, hots: x }
addresses: { retreival: "x:1" }
chat: { session_days: 0 }
retrieval:
  vector_store: { adapter: qdrnt }
  keyword_store: { adapter: qdrant, settings: { ulr: x, timeout_ms: 1 } }
llm_gateway: { models: [{ adapter: openai, settings: { api_key: "\${NOPE}" } }] }
indexer: { chunk_tokens: 60, chunk_overlap_tokens: 40 }
`;
  expect(await problemsOf(yaml)).toEqual([
    expect.stringContaining('edge.hots: unknown key: did you mean "host"?'),
    'llm_gateway.models[0].settings.api_key: the environment variable NOPE is not set',
    'edge.port: is 70000; allowed: 0 to 65535',
    'chat.session_days: is 0; allowed: 1 to 36500',
    expect.stringContaining('retrieval.vector_store.adapter: no adapter "qdrnt"; allowed: chroma, elasticsearch,'),
    'retrieval.keyword_store.settings.timeout_ms: is 1; allowed: 100 to 600000',
    expect.stringContaining('retrieval.keyword_store.settings.ulr: unknown setting: did you mean "url"?'),
    'llm_gateway.models[0].settings.model: is missing: a string is needed',
    expect.stringContaining(
      'addresses.retreival: unknown service: did you mean "retrieval"?; allowed: accounts, audit, cache',
    ),
    'indexer.chunk_overlap_tokens: is 40, more than half a chunk; allowed: 0 to 30',
  ]);
});

test('a database that cannot be used is reported without its password', async () => {
  const [problem, ...others] = await problemsOf('storage: { database: "mysql://ann:hunter2@db/shop" }\n');
  expect(problem).toMatch(/^storage\.database: must be "postgres:\/\/user:password@host:5432\/database"/);
  expect(problem).not.toContain('hunter2');
  expect(others).toEqual([]);
});

test('a folder in the place of the file is a plain error', async () => {
  const problems = await problemsOfFile({ path: folder, env: {}, chosen: services, known: services });
  expect(problems.map(({ message }) => message)).toEqual([`${folder}: is a folder: name a file`]);
});

test('the printed configuration has the defaults, hides secrets, and reads as the same configuration', async () => {
  const raw = {
    edge: { port: 8081, limiter: { adapter: 'redis', settings: { url: 'redis://u:hunter2@h:1' } } },
    identity: { private_key: 'hunter2' },
    storage: { database: 'postgres://ann:hunter2@db/shop' },
    telemetry: { otlp_endpoint: 'http://me:hunter2@collector:4318' },
    llm_gateway: { models: [{ adapter: 'openai', settings: { api_key: 'hunter2', modle: 'hunter2', model: 'm' } }] },
  };
  const text = await printConfig(parseConfig(raw, {}), serviceFolder);
  expect(text).not.toContain('hunter2');
  expect(parse(text)).toMatchObject({
    data_dir: 'data',
    edge: { port: 8081, user_burst: 40, limiter: { adapter: 'redis', settings: { url: '***' } } },
    identity: { private_key: '***' },
    telemetry: { otlp_endpoint: 'http://***@collector:4318', sample_ratio: 1 },
    retrieval: { rerank_candidates: 30, vector_store: { adapter: 'sqlite' } },
    embedding: { models: [{ adapter: 'hashing' }] },
    llm_gateway: {
      max_attempts: 4,
      models: [{ adapter: 'openai', weight: 1, settings: { api_key: '***', model: 'm' } }],
    },
  });
  const defaults = await printConfig(readConfigFile(undefined, {}).config, serviceFolder);
  expect(await printConfig(parseConfig(parse(defaults), {}), serviceFolder)).toBe(defaults);
});
