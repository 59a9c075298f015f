import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './xinference.ts';

// Replies in the shape of xorbitsai/inference xinference/types.py (Rerank; a document may be an object, a string or null); errors as
// FastAPI's {"detail": …} of xinference/api/restful_api.py.

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { query, documents } = body as { query: string; documents: string[] };
    const results = documents.map((text, index) => ({ index, relevance_score: overlap(query, text), document: null }));
    results.sort((a, b) => b.relevance_score - a.relevance_score);
    const tokens = { input_tokens: 20, output_tokens: 0 };
    const meta = { api_version: null, billed_units: null, tokens, warnings: null };
    return { json: { id: '81b3c1c2', results, meta } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: `${server.url}/v1`, model: 'my-reranker', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('xinference', create, 10);

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
        "model": "my-reranker",
        "query": "refund",
        "return_documents": false,
        "return_len": true,
        "top_n": 2,
      },
      "headers": {},
      "request": "POST /v1/rerank",
    }
  `);
});

test('a document that comes back as a plain string, and no meta, do no harm', async () => {
  const results = [
    { index: 1, relevance_score: 0.1, document: 'We open at ten.' },
    { index: 0, relevance_score: 0.9, document: { text: 'Refunds' } },
  ];
  server.next({ json: { id: '1', results, meta: null } });
  expect(await score()).toEqual([0.9, 0.1]);
});

test('logits need a setting', async () => {
  server.next({
    json: {
      results: [
        { index: 1, relevance_score: -8 },
        { index: 0, relevance_score: 4 },
      ],
    },
  });
  expect(String(await failureOf(score()))).toContain('check scale');
  expect((await create({ scale: 'logit' })).scale).toBe(ScoreScale.LOGIT);
});

test('a failure in its own words stays inside', async () => {
  server.next({ status: 500, json: { detail: '[address=10.0.0.1:4000, pid=1] CUDA out of memory' } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect(errorInfoOf(error)?.reason).toBe('DEPENDENCY_UNAVAILABLE');
  expect(String(error)).not.toContain('CUDA');
});
