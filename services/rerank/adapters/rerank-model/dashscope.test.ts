import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './dashscope.ts';

// Replies in the shape of help.aliyun.com/model-studio/text-rerank-api, native and compatible; errors as on
// alibabacloud.com/help/en/model-studio/error-code.

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    type Request = { query: string; documents: string[]; input?: { query: string; documents: string[] } };
    const { query, documents } = (body as Request).input ?? (body as Request);
    const results = documents.map((text, index) => ({ index, relevance_score: overlap(query, text) }));
    results.sort((a, b) => b.relevance_score - a.relevance_score);
    const usage = { total_tokens: 79 };
    if ((body as Request).input === undefined)
      return { json: { object: 'list', results, model: 'qwen3-rerank', id: '85ba5752', usage } };
    return { json: { output: { results }, usage, request_id: '4b0805c0' } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: server.url, api_key: 'sk-1', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('dashscope', create, 10);

rerankModelSuite('dashscope by its compatible API', () => create({ api: 'compatible' }), 10);

test('the requests are exactly these', async () => {
  await score({ instruct: 'Find the help page that answers' });
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "input": {
          "documents": [
            "Refunds
    Refunds take five days.",
            "We open at ten.",
          ],
          "query": "refund",
        },
        "model": "qwen3-rerank",
        "parameters": {
          "instruct": "Find the help page that answers",
          "return_documents": false,
          "top_n": 2,
        },
      },
      "headers": {
        "authorization": "Bearer sk-1",
      },
      "request": "POST /api/v1/services/rerank/text-rerank/text-rerank",
    }
  `);
  await score({ api: 'compatible' });
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "documents": [
          "Refunds
    Refunds take five days.",
          "We open at ten.",
        ],
        "model": "qwen3-rerank",
        "query": "refund",
        "top_n": 2,
      },
      "headers": {
        "authorization": "Bearer sk-1",
      },
      "request": "POST /compatible-api/v1/reranks",
    }
  `);
});

test('a request stays below the tokens that it may have, the question counted for each passage', async () => {
  const values = Array.from({ length: 40 }, () => ({ text: 'refund policy '.repeat(300) }));
  const before = server.requests.length;
  await scoresOf(await create(), 'refund '.repeat(100), values);
  expect(server.requests.length - before).toBe(2);
});

test.each([
  [429, 'Throttling.RateQuota', Code.ResourceExhausted, 'RATE_LIMITED'],
  [400, 'Arrearage', Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [400, 'InvalidParameter', Code.InvalidArgument, 'FIELD_INVALID'],
])('%i %s', async (status, word, code, reason) => {
  server.next({ status, json: { request_id: '1', code: word, message: 'no' } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code });
  expect(errorInfoOf(error)?.reason).toBe(reason);
});

test('scores are 0 to 1, and an unknown API stops the start', async () => {
  expect((await create()).scale).toBe(ScoreScale.UNIT);
  await expect((async () => create({ api: 'v9' }))()).rejects.toThrow('allowed: native, compatible');
});
