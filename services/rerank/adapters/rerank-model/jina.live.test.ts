import { existsSync } from 'node:fs';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { hasCommand, skipped, startTestServer, type TestServer } from '#kit/testing/server.ts';
import { scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf } from '../../testing/vendor.ts';
import { adapter } from './jina.ts';

// llama.cpp's server, whose /v1/rerank has Jina's face and gives logits. The head of the model may be random: what it says is not judged.

const command = process.env.RAGMESH_LLAMA_SERVER ?? 'llama-server';
const model = process.env.RAGMESH_RERANK_GGUF ?? '';
const isHere = hasCommand(command) && existsSync(model);
const advice = 'llama-server in RAGMESH_LLAMA_SERVER, a reranker as GGUF in RAGMESH_RERANK_GGUF';

describe.skipIf(!isHere && skipped('llama-server --reranking', 3, advice))('llama-server', { timeout: 180_000 }, () => {
  let server: TestServer;
  beforeAll(async () => {
    const args = (port: number) => [
      '-m',
      model,
      '--reranking',
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '-t',
      '2',
    ];
    const isReady = async (port: number) => (await fetch(`http://127.0.0.1:${port}/health`)).ok;
    server = await startTestServer({ command, args, isReady });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const create = (given = {}) =>
    createWith(adapter, {
      base_url: `http://127.0.0.1:${server.port}/v1`,
      model: 'm',
      scale: 'logit',
      timeout_ms: 120_000,
      ...given,
    });

  test('every candidate gets its score, whatever the order and the size of the requests', async () => {
    const values = Array.from({ length: 12 }, (_, index) => ({
      text: `Section ${index}: refunds take ${index} days.`,
    }));
    const whole = await scoresOf(await create(), 'how long does a refund take', values);
    expect(whole).toHaveLength(12);
    expect(whole.every(Number.isFinite)).toBe(true);
    const cut = await scoresOf(await create({ max_batch: 5 }), 'how long does a refund take', values.toReversed());
    // Its sums differ a little with the size of a batch.
    for (const [index, score] of cut.toReversed().entries()) expect(score).toBeCloseTo(whole[index] ?? Number.NaN, 1);
    expect((await create()).scale).toBe(ScoreScale.LOGIT);
  });

  test('tokens are counted', async () => {
    const values = [{ text: 'a' }];
    const batches = (await create()).rerank('b', values as never, new AbortController().signal, () => ({}));
    for await (const { usage } of batches) expect(usage?.promptTokens).toBeGreaterThan(0);
  });

  test('a passage that is too long is the fault of the request, though the server fails with 500 on it', async () => {
    const error = await failureOf(scoresOf(await create(), 'a', [{ text: 'hello '.repeat(700) }]));
    expect(error).toMatchObject({ code: Code.InvalidArgument });
  });
});
