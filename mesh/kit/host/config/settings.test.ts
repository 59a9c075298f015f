import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import {
  type Config,
  EmbeddingConfigSchema,
  LLMGatewayConfigSchema,
  LLMTimeoutsSchema,
  RetrievalConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { parseConfig } from './config.ts';
import { chosenAdapter, defaultAdapterOf, ifSet } from './settings.ts';

test('a section that is not in the file has the defaults of the contract', () => {
  expect(create(RetrievalConfigSchema)).toMatchObject({
    rerankCandidates: 30,
    candidates: 50,
    memoryBytes: 536870912n,
  });
});

describe('0 means 0', () => {
  test.each<[string, unknown, (config: Config) => unknown, unknown]>([
    ['rerank_candidates', { retrieval: { rerank_candidates: 0 } }, ({ retrieval }) => retrieval?.rerankCandidates, 0],
    ['memory_bytes of retrieval', { retrieval: { memory_bytes: 0 } }, ({ retrieval }) => retrieval?.memoryBytes, 0n],
    ['memory_bytes of the cache', { cache: { memory_bytes: 0 } }, ({ cache }) => cache?.memoryBytes, 0n],
    ['refusal_ttl_seconds', { cache: { refusal_ttl_seconds: 0 } }, ({ cache }) => cache?.refusalTtlSeconds, 0],
    [
      'queue_size',
      { llm_gateway: { limits: { queue_size: 0 } } },
      ({ llmGateway }) => llmGateway?.limits?.queueSize,
      0,
    ],
    ['drain_ms', { grpc: { drain_ms: 0 } }, ({ grpc }) => grpc?.drainMs, 0],
  ])('%s', (_, raw, read, value) => {
    expect(read(parseConfig(raw, {}))).toBe(value);
  });

  test.each([
    ['llm_gateway.max_attempts', { llm_gateway: { max_attempts: 0 } }],
    ['chat.session_days', { chat: { session_days: 0 } }],
    ['retrieval.candidates', { retrieval: { candidates: 0 } }],
    ['llm_gateway.hedging.delay_ms', { llm_gateway: { hedging: { delay_ms: 0 } } }],
    ['indexer.lease_ms', { indexer: { lease_ms: 0 } }],
    ['edge.user_burst', { edge: { user_burst: 0 } }],
  ])('and is refused for %s, which cannot work with it', (path, raw) => {
    expect(() => parseConfig(raw, {})).toThrow(path);
  });
});

test('a field is distinguished from its default when the file sets it', () => {
  const timeouts = create(LLMTimeoutsSchema, { idleMs: 15_000 });
  expect([ifSet(timeouts, 'idleMs'), ifSet(timeouts, 'totalMs'), timeouts.totalMs]).toEqual([
    15_000,
    undefined,
    120_000,
  ]);
});

test('the adapter of a field that is not set is the one that the contract names', () => {
  const { field } = RetrievalConfigSchema;
  expect(chosenAdapter(field.vectorStore, undefined, 'retrieval.vector_store')).toMatchObject({ adapter: 'sqlite' });
  expect(defaultAdapterOf(EmbeddingConfigSchema.field.models)).toBe('hashing');
  expect(() => defaultAdapterOf(LLMGatewayConfigSchema.field.models)).toThrow(/models has no default adapter/);
});
