import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../base/config-error.ts';
import { createFromAdapter } from './adapters.ts';
import { loadConfig, parseConfig } from './config.ts';

/** A reference to an environment variable, as it is written in the file. */
const variable = (name: string) => `$\{${name}}`;

const problemOf = (raw: unknown, env = {}): string => {
  try {
    parseConfig(raw, env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

test('without a file every default applies', () => {
  expect(loadConfig(undefined, {}).edge).toBeUndefined();
});

test('a YAML file is read, in either spelling of a key, and its variables are filled in', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-config-'));
  const path = join(folder, 'ragmesh.yaml');
  writeFileSync(
    path,
    'edge:\n  port: 9000\n  tenantBurst: 7\n  jwt: { issuer: me, audience: us, secret: "x-$' + '{SECRET}" }\n',
  );
  const config = loadConfig(path, { SECRET: 'hush' });
  expect(config.edge).toMatchObject({ port: 9000, tenantBurst: 7, jwt: { secret: 'x-hush' } });
  rmSync(folder, { recursive: true });
});

describe('a bad value stops with its path and what is allowed', () => {
  test.each([
    [{ edge: { prot: 1 } }, 'edge.prot: unknown key: did you mean "port"?; allowed: host, port'],
    [{ retrieval: { vector_store: { adaptor: 'sqlite' } } }, 'retrieval.vector_store.adaptor: unknown key'],
    [{ edge: { api_keys: [{ id: 'a', sha257: '' }] } }, 'edge.api_keys[0].sha257: unknown key'],
    [{ edge: { api_keys: { id: 'a' } } }, 'edge.api_keys: must be a list'],
    [{ edge: 7 }, 'edge: must be a mapping'],
    [{ edge: { port: 70_000 } }, 'edge.port: is 70000; allowed: 0 to 65535'],
    [{ edge: { port: 'many' } }, 'edge.port: is "many": a whole number is needed; allowed: 0 to 65535'],
    [{ grpc: { port: 1.5 } }, 'grpc.port: is 1.5: a whole number is needed'],
    [
      { llm_gateway: { limits: { tenants: { acme: { requests: 1 } } } } },
      'llm_gateway.limits.tenants.acme.requests: unknown key',
    ],
    [
      { retrieval: { corpora: { shop: { vector_weight: 2 } } } },
      'retrieval.corpora.shop.vector_weight: is 2; allowed: 0 to 1',
    ],
    [
      { llm_gateway: { routes: [{ name: 'r', models: ['m'], order: 'FAST' }] } },
      'llm_gateway.routes[0].order: is "FAST": one of the names is needed; allowed: ROUTE_ORDER_LISTED',
    ],
    [
      { edge: { api_keys: [{ id: 'a', sha256: 'sk-live-1', tenant: 't' }] } },
      'edge.api_keys[0].sha256: is not allowed; allowed: text that matches',
    ],
    [
      { telemetry: { log_level: 'loud' } },
      'telemetry.log_level: is "loud"; allowed: trace, debug, info, warn, error, silent',
    ],
    [
      { edge: { jwt: { secret: variable('NOT_SET') } } },
      'edge.jwt.secret: the environment variable NOT_SET is not set',
    ],
  ])('%j', (raw, expected) => {
    expect(problemOf(raw)).toContain(expected);
  });

  test('a secret that broke a rule is not repeated', () => {
    expect(problemOf({ edge: { jwt: { secret: variable('S') } } }, { S: 'topsecret'.repeat(600) })).not.toContain(
      'topsecret',
    );
  });
});

test('all errors are reported together, each once, with path, value and range', () => {
  const raw = {
    edge: { port: 70_000, hots: 'x', jwt: { secret: variable('A'), issuer: variable('B') } },
    retrieval: { candidates: 0, rerank_candidates: 'x' },
    cache: { durable_store: { settings: {} } },
  };
  expect(problemOf(raw).split('\n')).toEqual([
    'configuration: 8 errors:',
    expect.stringMatching(/^ {2}edge\.hots: unknown key: did you mean "host"\?; allowed: host, port,/),
    '  edge.jwt.secret: the environment variable A is not set',
    '  edge.jwt.issuer: the environment variable B is not set',
    '  retrieval.rerank_candidates: is "x": a whole number is needed; allowed: 0 to 1000',
    '  edge.port: is 70000; allowed: 0 to 65535',
    '  edge.jwt.audience: is missing; allowed: 1 to 256 characters',
    '  retrieval.candidates: is 0; allowed: 1 to 1000',
    expect.stringMatching(/^ {2}cache\.durable_store\.adapter: is missing/),
  ]);
});

test('a value from the environment is not repeated in an error', () => {
  expect(problemOf({ telemetry: { log_level: variable('S') } }, { S: 'hunter2' })).toBe(
    'telemetry.log_level: is "$' + '{S}"; allowed: trace, debug, info, warn, error, silent',
  );
});

test('a key without a value is a section of defaults', () => {
  expect(parseConfig({ edge: null, chat: { session_days: null } }, {})).toMatchObject({
    edge: { port: 8080 },
    chat: { sessionDays: 30 },
  });
});

describe('adapters', () => {
  const folder = new URL('../../rpc/', import.meta.url);
  test('an unknown one is refused with the names that there are', async () => {
    const error = createFromAdapter(folder, 'oracle', {}, {}, 'cache.store');
    await expect(error).rejects.toThrow(/cache\.store\.adapter: no adapter "oracle"; allowed: .*access/);
  });
});
