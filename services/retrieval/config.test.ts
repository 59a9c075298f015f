import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { readConfig } from './config.ts';

const database = 'postgres://ragmesh@127.0.0.1/ragmesh';
const storesOf = (config: ReturnType<typeof readConfig>) => [config.vectorStore.adapter, config.keywordStore.adapter];

test('stores that are not configured are in the database of the catalog', () => {
  expect(storesOf(readConfig(create(ConfigSchema)))).toEqual(['sqlite', 'sqlite']);
  expect(storesOf(readConfig(create(ConfigSchema, { storage: { database } })))).toEqual(['pgvector', 'postgres']);
  const configured = { vectorStore: { adapter: 'qdrant' }, keywordStore: { adapter: 'qdrant' } };
  const shared = create(ConfigSchema, { storage: { database }, retrieval: configured });
  expect(storesOf(readConfig(shared))).toEqual(['qdrant', 'qdrant']);
});

test('a store in files is refused beside a catalog that replicas share', () => {
  for (const [name, store] of Object.entries({ vector: 'vectorStore', keyword: 'keywordStore' })) {
    const config = create(ConfigSchema, { storage: { database }, retrieval: { [store]: { adapter: 'sqlite' } } });
    expect(() => readConfig(config)).toThrow(`retrieval.${name}_store.adapter: "sqlite" is for one process`);
  }
});
