import { describe, expect, test } from 'vitest';
import { type Rule, rules } from './rules.ts';
import { readSources, toSource } from './source-tree.ts';

const sources = readSources();

describe('the tree follows the rules', () => {
  test.each(rules.map((rule): [string, Rule] => [rule.name, rule]))('%s', (_, { find, instead }) => {
    const broken = find(sources);
    expect(broken, `${instead}\n  ${broken.join('\n  ')}`).toEqual([]);
  });
});

/** A violation of each rule, in every disguise that a reader could miss: rule, path, text. */
const planted: readonly [rule: string, path: string, text: string][] = [
  ['gen imports only the protobuf runtime', 'gen/a_pb.ts', "import { x } from '#kit/base/errors.ts';"],
  ['the kit knows no service', 'mesh/kit/host/a.ts', "import { x } from '../../../services/chat/index.ts';"],
  ['imports in the kit go downward', 'mesh/kit/base/a.ts', "import { x } from '../rpc/client.ts';"],
  ['imports in the kit go downward', 'mesh/kit/storage/a.ts', "import type { X } from '#kit/host/host.ts';"],
  ['a service imports contracts, the kit and itself', 'services/chat/a.ts', "import { x } from '../audit/index.ts';"],
  ['a service imports contracts, the kit and itself', 'services/chat/a.ts', "await import('../../mesh/run.ts');"],
  [
    'only the composition root imports services',
    'mesh/cli/a.ts',
    "import { chat } from '../../services/chat/index.ts';",
  ],
  ['production code imports no test code', 'services/chat/a.ts', "import { x } from './testing/chat.ts';"],
  ['production code imports no test code', 'services/chat/a.ts', "export { x } from './suites/a.suite.ts';"],
  [
    'a port does not import its adapters',
    'services/rerank/models/a.ts',
    "import { x } from '../adapters/rerank-model/tei.ts';",
  ],
  [
    'a port imports no engine',
    'services/retrieval/stores/vector-store.ts',
    "import type { SqliteThread } from '#kit/storage/sqlite/thread.ts';",
  ],
  ["a vendor's SDK stays in that vendor's room", 'services/cache/rpcs/a.ts', "import { Redis } from 'ioredis';"],
  [
    "a vendor's SDK stays in that vendor's room",
    'services/edge/adapters/limiter/redis.ts',
    "import { Redis } from 'ioredis';",
  ],
  [
    "a vendor's SDK stays in that vendor's room",
    'services/retrieval/adapters/vector-store/weaviate.ts',
    "import { QdrantClient } from '@qdrant/js-client-rest';",
  ],
  ["a vendor's SDK stays in that vendor's room", 'services/chat/a.ts', "const sdk = await import('openai');"],
  ["a vendor's SDK stays in that vendor's room", 'services/chat/a.ts', "import { x } from 'openai/helpers/zod';"],
  ["a vendor's SDK stays in that vendor's room", 'services/audit/a.ts', "import pg from 'pg';"],
  ["a vendor's SDK stays in that vendor's room", 'services/chat/a.ts', "const sdk = require('openai');"],
  ['grpc-js is loaded in one place', 'mesh/kit/rpc/a.ts', "import { Client } from '@grpc/grpc-js';"],
  ['grpc-js is loaded in one place', 'mesh/kit/rpc/a.ts', "const grpc = await import('@grpc/grpc-js');"],
  ['grpc-js is loaded in one place', 'mesh/kit/rpc/a.ts', "const grpc = require('@grpc/grpc-js');"],
  ['the environment is read in one place', 'services/chat/a.ts', 'const { env } = process;'],
  ['the environment is read in one place', 'services/chat/a.ts', 'const { argv, env: all } = globalThis.process;'],
  ['the environment is read in one place', 'services/chat/a.ts', "import { env } from 'node:process';"],
  ['the environment is read in one place', 'services/chat/a.ts', "const value = process['env'].HOME;"],
  ['a service takes time and randomness from its arguments', 'services/chat/a.ts', 'const clock = Date.now;'],
  ['a service takes time and randomness from its arguments', 'services/chat/a.ts', 'const at = new Date();'],
  ['a service takes time and randomness from its arguments', 'services/chat/a.ts', 'const id = crypto.randomUUID();'],
  ['a service takes time and randomness from its arguments', 'services/chat/a.ts', 'list.sort(Math.random);'],
  ['a function is not written directly into a property', 'mesh/kit/rpc/a.ts', 'call.onEnd = () => wake();'],
  [
    'a function is not written directly into a property',
    'services/chat/a.ts',
    'this.#wake ??= async (a, b): Promise<void> => {',
  ],
  ['files stay short', 'services/chat/a.ts', '\n'.repeat(401)],
  ['nothing is left undone or switched off', 'services/chat/a.ts', '// TO' + 'DO later'],
  [
    'a test that changes its process is alone',
    'mesh/kit/host/a.test.ts',
    'const telemetry = startTelemetry(undefined);',
  ],
  ['exports have names', 'services/chat/a.ts', 'export default 1;'],
];

describe('a planted violation is found', () => {
  const ruleNamed = (name: string) => rules.find((rule) => rule.name === name);

  test.each(planted)('%s: %s', (name, path, text) => {
    expect(ruleNamed(name)?.find([toSource(path, text)])).toHaveLength(1);
  });

  test('folders stay small', () => {
    const many = Array.from({ length: 21 }, (_, index) => toSource(`services/chat/room/${index}.ts`, ''));
    expect(ruleNamed('folders stay small')?.find(many)).toEqual(['services/chat/room has 21 entries, more than 20']);
  });

  test('no rule is without one', () => {
    const names = new Set([...planted.map(([name]) => name), 'folders stay small']);
    expect(rules.map((rule) => rule.name).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('what is right passes', () => {
  test.each([
    ['services/llm-gateway/adapters/llm-provider/anthropic/index.ts', "import Anthropic from '@anthropic-ai/sdk';"],
    ['services/llm-gateway/adapters/vendors/openai/client.ts', "import OpenAI from 'openai';"],
    ['mesh/kit/storage/redis.ts', "import { Redis } from 'ioredis';"],
    ['mesh/kit/storage/postgres/pool.ts', "import pg from 'pg';"],
    ['services/chat/a.ts', "const at = new Date(atMs); import { x } from '#kit/rpc/context.ts';"],
    ['mesh/kit/rpc/a.ts', "import type { Client } from '@grpc/grpc-js';"],
  ])('%s', (path, text) => {
    expect(rules.flatMap((rule) => rule.find([toSource(path, text)]))).toEqual([]);
  });
});
