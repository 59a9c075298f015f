import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import type { EmbeddingModel } from '../../../models/embedding-model.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { createWith, failureOf } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

// llama.cpp's server with all-MiniLM-L6-v2.

const command = process.env.RAGMESH_LLAMA_SERVER ?? 'llama-server';
const model = process.env.RAGMESH_EMBEDDING_GGUF ?? '';
const isHere = hasCommand(command) && existsSync(model);
const advice = 'llama-server in RAGMESH_LLAMA_SERVER, all-MiniLM-L6-v2 as GGUF in RAGMESH_EMBEDDING_GGUF';

describe.skipIf(!isHere && skipped('llama-server --embedding', 9, advice))('llama-server', { timeout: 180_000 }, () => {
  let server: TestServer;
  beforeAll(async () => {
    const args = (port: number) => [
      '-m',
      model,
      '--embedding',
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '-t',
      '2',
    ];
    const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/health`)).ok;
    server = await startTestServer({ command, args: (port) => [...args(port), '--api-key', 'secret'], isReady });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const create = (given = {}): Promise<EmbeddingModel> =>
    createWith(adapter, {
      base_url: `http://127.0.0.1:${server.port}/v1`,
      api_key: 'secret',
      model: 'all-MiniLM-L6-v2',
      max_batch: 4,
      timeout_ms: 120_000,
      ...given,
    });
  const never = new AbortController().signal;
  const embed = async (texts: string[], given = {}) => (await create(given)).embed(texts, Purpose.DOCUMENT, never);

  embeddingModelSuite('openai-compatible with llama-server', create);

  test.each(['base64', 'float'])(
    'similarities are those that the makers of the model publish (%s)',
    async (encoding) => {
      // sbert.net, "Quickstart": model.similarity(embeddings, embeddings) of all-MiniLM-L6-v2.
      const texts = ['The weather is lovely today.', "It's so sunny outside!", 'He drove to the stadium.'];
      const { vectors, promptTokens, reported } = await embed(texts, { encoding });
      const similarity = (a: number, b: number) =>
        (vectors[a] ?? new Float32Array()).reduce((sum, value, index) => sum + value * (vectors[b]?.[index] ?? 0), 0);
      expect(similarity(0, 1)).toBeCloseTo(0.666, 3);
      expect(similarity(0, 2)).toBeCloseTo(0.1046, 3);
      expect({ promptTokens, reported }).toEqual({ promptTokens: 25, reported: true });
    },
  );

  test('a text that is too long is named, though the server fails with 500 on it', async () => {
    const failure = await failureOf(embed(['short', 'hello '.repeat(700)]));
    expect(failure).toMatchObject({ name: 'TextTooLongError', textIndex: 1 });
  });

  test('a wrong key is distinguished from a wrong request', async () => {
    const error = await failureOf(embed(['a'], { api_key: 'wrong' }));
    expect(String(error)).toContain('check api_key');
  });
});
