import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DescMessage } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfigValue } from '#kit/host/config/config.ts';
import { root } from '../tools.ts';
import { renderExample } from './example.ts';
import { renderSchema } from './json-schema.ts';
import { buildContract } from './render.ts';
import { fillTables } from './tables.ts';

let contract: DescMessage;
beforeAll(() => {
  contract = buildContract();
});

/** The lines of the example that are settings, as YAML. */
const uncommented = () =>
  renderExample(contract)
    .split('\n')
    .filter((line) => !line.startsWith('##') && !line.startsWith('# yaml'))
    .map((line) => line.replace(/^#/, ''))
    .join('\n');

describe('the example', () => {
  test('has every key commented out, with its default, and is a configuration once it is not', () => {
    const raw = parse(uncommented());
    expect(raw).toMatchObject({
      edge: { port: 8080, limiter: { adapter: 'memory' }, api_keys: [{ id: null }] },
      chat: { session_days: 30 },
      llm_gateway: { routes: [{ order: 'ROUTE_ORDER_LISTED' }], hedging: { max_share: 0.05 } },
      retrieval: { corpora: { example: { vector_weight: null } } },
    });
    // Only what has no default is missing.
    const { problems } = readConfigValue(raw, {});
    expect(problems.filter(({ message }) => !message.includes('is missing')).map(({ message }) => message)).toEqual([
      expect.stringMatching(/routes\[0\]\.models/),
    ]);
  });

  test('says what a setting means, its unit and its range', () => {
    expect(renderExample(contract)).toContain(
      '##   Time to keep an answer. Allowed: 1 to 31536000 s.\n#  ttl_seconds: 86400\n',
    );
    expect(renderExample(contract)).toContain(
      'Default: 64 MiB. Allowed: 0 bytes to 64 GiB.\n#  memory_bytes: 67108864\n',
    );
  });

  test('names the schema for editors, which is beside it', () => {
    expect(renderExample(contract).split('\n')[0]).toBe('# yaml-language-server: $schema=./ragmesh.schema.json');
    expect(readFileSync(join(root, 'ragmesh.schema.json'), 'utf8').length).toBeGreaterThan(0);
  });
});

test('the schema has description, default, range and the settings of each adapter', async () => {
  const { properties, definitions } = JSON.parse(await renderSchema(contract));
  expect(Object.keys(properties)).toContain('llm_gateway');
  expect(definitions.RetrievalConfig).toMatchObject({
    additionalProperties: false,
    properties: {
      rerank_candidates: { default: 30, minimum: 0, maximum: 1000, description: expect.stringContaining('reranked') },
    },
  });
  const store = definitions['AdapterConfig-retrieval-vector-store'];
  expect(store.properties.adapter.enum).toContain('qdrant');
  expect(store.allOf).toContainEqual(
    expect.objectContaining({
      if: { properties: { adapter: { const: 'milvus' } }, required: ['adapter'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: {
        required: ['settings'],
        properties: {
          settings: expect.objectContaining({
            required: ['url'],
            properties: expect.objectContaining({ index_type: expect.objectContaining({ enum: ['FLAT', 'HNSW'] }) }),
          }),
        },
      },
    }),
  );
});

test('a table replaces what is between its markers, and nothing else', async () => {
  const text = 'Before.\n\n<!-- settings: chat -->\nreplaced\n<!-- end of settings -->\n\nAfter.\n';
  const filled = await fillTables(text, contract);
  expect(filled).toContain(
    '| `session_days` | 30 days | 1 to 36500 days | Time that sessions are kept after their last question. |',
  );
  expect(filled).not.toContain('replaced');
  expect(
    filled.startsWith('Before.\n\n<!-- settings: chat -->\n') &&
      filled.endsWith('<!-- end of settings -->\n\nAfter.\n'),
  ).toBe(true);
  expect(await fillTables(filled, contract)).toBe(filled);
  await expect(fillTables('<!-- settings: chatt -->\n<!-- end of settings -->', contract)).rejects.toThrow('"chatt"');
});
