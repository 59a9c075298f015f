import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './vllm.ts';

// Replies in the shape of vllm/entrypoints/openai/protocol.py (RerankResponse, ErrorResponse).

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { query, documents, model } = body as { query: string; documents: string[]; model: string };
    const results = documents.map((text, index) => ({
      index,
      document: { text },
      relevance_score: overlap(query, text),
    }));
    results.sort((a, b) => b.relevance_score - a.relevance_score);
    return { json: { id: 'rerank-1', model, usage: { total_tokens: 31 }, results } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, { base_url: `${server.url}/v1`, model: 'BAAI/bge-reranker-v2-m3', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('vllm', create, 10);

test('the request is exactly this', async () => {
  await score({ truncate_prompt_tokens: 512 });
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "documents": [
          "Refunds
    Refunds take five days.",
          "We open at ten.",
        ],
        "model": "BAAI/bge-reranker-v2-m3",
        "query": "refund",
        "top_n": 0,
        "truncate_prompt_tokens": 512,
      },
      "headers": {},
      "request": "POST /v1/rerank",
    }
  `);
});

test('more candidates than a request takes go in several, and their scores are those of one', async () => {
  const values = Array.from({ length: 9 }, (_, index) => ({ text: `refund ${index}` }));
  const whole = await scoresOf(await create(), 'refund 7', values);
  const before = server.requests.length;
  expect(await scoresOf(await create({ max_batch: 2 }), 'refund 7', values)).toEqual(whole);
  expect(server.requests.length - before).toBe(5);
});

test("a passage that is too long is the request's fault", async () => {
  const message = "This model's maximum context length is 512 tokens. However, you requested 600 tokens";
  server.next({ status: 400, json: { error: { message, type: 'BadRequestError', param: null, code: 400 } } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code: Code.InvalidArgument });
  expect(errorInfoOf(error)?.metadata).toMatchObject({ dependency: 'vllm' });
});

test('scores are 0 to 1', async () => expect((await create()).scale).toBe(ScoreScale.UNIT));
