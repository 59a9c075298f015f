import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createFromAdapter } from './adapters.ts';
import { loadConfig, parseConfig } from './config.ts';
import { ConfigError } from './config-error.ts';

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

test('without a file every default stands', () => {
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
    [{ edge: { prot: 1 } }, 'edge.prot: unknown key; allowed: host, port'],
    [{ retrieval: { vector_store: { adaptor: 'sqlite' } } }, 'retrieval.vector_store.adaptor: unknown key'],
    [{ edge: { api_keys: [{ id: 'a', sha257: '' }] } }, 'edge.api_keys[0].sha257: unknown key'],
    [{ edge: { api_keys: { id: 'a' } } }, 'edge.api_keys: must be a list'],
    [{ edge: 7 }, 'edge: must be a mapping'],
    [{ edge: { port: 70_000 } }, 'edge.port: must be less than or equal to 65535'],
    [{ edge: { port: 'many' } }, 'edge.port'],
    [{ telemetry: { log_level: 'loud' } }, 'telemetry.log_level'],
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

describe('adapters', () => {
  const folder = new URL('./', import.meta.url);
  test('an unknown one is refused with the names that there are', async () => {
    const error = createFromAdapter(folder, 'oracle', {}, {}, 'cache.store');
    await expect(error).rejects.toThrow(/cache\.store\.adapter: no adapter "oracle"; allowed: .*access/);
  });
});
