import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { GateMode } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { startTestMesh } from '#kit/testing/mesh.ts';
import { readConfig } from './config.ts';
import { indexer } from './index.ts';
import { createEmbeddingStandIn } from './testing/embedding-stand-in.ts';
import { createIndexStandIn } from './testing/index-stand-in.ts';

const read = (init: MessageInitShape<typeof ConfigSchema> = {}) => readConfig(create(ConfigSchema, init));

test('an empty configuration gives the defaults of the contract', () => {
  expect(read()).toEqual({
    maxRunningJobs: 1,
    personalData: expect.anything(),
    keepsOriginals: expect.any(Function),
    maxFileBytes: 64 << 20,
    maxUploadBytes: 4 * 2 ** 30,
    chunkTokens: 320,
    chunkOverlapTokens: 40,
    maxAttempts: 5,
    leaseMs: 10_000,
    sources: {
      maxRunning: 2,
      allowedHosts: { allowsHost: expect.any(Function), allowsAddress: expect.any(Function) },
      allowedFolders: [],
      secrets: [],
    },
    parseLimits: { memoryBytes: 1 << 30, stallMs: 60_000, totalMs: 1_800_000 },
    keptVersions: 3,
    gate: GateMode.INVARIANTS,
    jobQueue: { adapter: 'database', settings: undefined, path: 'indexer.job_queue' },
    blobStore: { adapter: 'folder', settings: undefined, path: 'indexer.blob_store' },
  });
  expect(read({ indexer: { chunkOverlapTokens: 0 }, retrieval: { keptVersions: 0 } })).toMatchObject({
    chunkOverlapTokens: 0,
    keptVersions: 1,
  });
});

test('an overlap of more than half a chunk stops the start', () => {
  expect(() => read({ indexer: { chunkTokens: 60, chunkOverlapTokens: 40 } })).toThrow('indexer.chunk_overlap_tokens');
});

test('an enrichment that asks for nothing stops the start', () => {
  const enrichment = { model: 'small', summaries: false };
  expect(() => read({ indexer: { enrichment } })).toThrow('indexer.enrichment');
  expect(read({ indexer: { enrichment: { ...enrichment, questions: 2 } } }).enrichment).toMatchObject({ questions: 2 });
});

test('without the private key of the mesh it refuses to start', async () => {
  const publicKey =
    '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n';
  const services = [indexer, createIndexStandIn().definition, createEmbeddingStandIn().definition];
  await expect(startTestMesh(services, { config: { identity: { publicKey } } })).rejects.toThrow(ConfigError);
});
