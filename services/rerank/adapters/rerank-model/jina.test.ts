import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './jina.ts';

// Replies in the shape of api.jina.ai/redoc (rerank); errors as {"detail": …}.

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { query, documents, model } = body as { query: string; documents: string[]; model: string };
    const results = documents.map((text, index) => ({ index, relevance_score: overlap(query, text) }));
    results.sort((a, b) => b.relevance_score - a.relevance_score);
    return { json: { model, object: 'list', usage: { total_tokens: 38 }, results } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: `${server.url}/v1`, api_key: 'jina-1', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('jina', create, 10);

test('the request is exactly this', async () => {
  await score();
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "documents": [
          "Refunds
    Refunds take five days.",
          "We open at ten.",
        ],
        "model": "jina-reranker-v2-base-multilingual",
        "query": "refund",
        "return_documents": false,
        "top_n": 2,
      },
      "headers": {
        "authorization": "Bearer jina-1",
      },
      "request": "POST /v1/rerank",
    }
  `);
});

test('a model whose scores are not shares says so, and their scale can be configured', async () => {
  const results = [
    { index: 1, relevance_score: -3.5 },
    { index: 0, relevance_score: 2.25 },
  ];
  server.next({ json: { results } });
  expect(errorInfoOf(await failureOf(score()))?.reason).toBe('PROVIDER_REPLY_INVALID');
  server.next({ json: { results } }, { json: { results } });
  expect(await score({ scale: 'logit' })).toEqual([2.25, -3.5]);
  expect(await score({ model: 'jina-reranker-v3' })).toEqual([2.25, -3.5]);
  expect((await create({ model: 'jina-reranker-v3' })).scale).toBe(ScoreScale.UNSPECIFIED);
  await expect((async () => create({ scale: 'percent' }))()).rejects.toThrow('allowed: unit, logit, unknown');
});

test('a key without credit is final', async () => {
  server.next({ status: 402, json: { detail: 'Insufficient account balance.' } });
  expect(await failureOf(score())).toMatchObject({ code: Code.FailedPrecondition });
});
