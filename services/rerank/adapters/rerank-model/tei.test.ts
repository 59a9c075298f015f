import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './tei.ts';

// Replies in the shape of huggingface/text-embeddings-inference router/src/http/types.rs (Rank, RerankResponse), sorted by score; errors as
// {error, error_type} with the statuses of router/src/http/server.rs.

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { query, texts, raw_scores } = body as { query: string; texts: string[]; raw_scores: boolean };
    if (texts.length > 32) {
      const error = `batch size ${texts.length} > maximum allowed batch size 32`;
      return { status: 422, json: { error, error_type: 'Validation' } };
    }
    const rows = texts.map((text, index) => ({ index, score: overlap(query, text) * (raw_scores ? 20 : 1) }));
    return { json: rows.sort((a, b) => b.score - a.score) };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: server.url, ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('tei', create, 10);

rerankModelSuite('tei with raw scores', () => create({ raw_scores: true }), 10);

test('the request is exactly this', async () => {
  await score();
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "query": "refund",
        "raw_scores": false,
        "return_text": false,
        "texts": [
          "Refunds
    Refunds take five days.",
          "We open at ten.",
        ],
        "truncate": true,
      },
      "headers": {},
      "request": "POST /rerank",
    }
  `);
});

test('raw scores are logits', async () => {
  expect((await create()).scale).toBe(ScoreScale.UNIT);
  expect((await create({ raw_scores: true })).scale).toBe(ScoreScale.LOGIT);
  expect((await score({ raw_scores: true }))[0]).toBeGreaterThan(1);
});

test('a batch that is too large says what to set', async () => {
  const values = Array.from({ length: 40 }, () => ({ text: 'a' }));
  const error = await failureOf(scoresOf(await create({ max_batch: 64 }), 'a', values));
  expect(error).toMatchObject({ code: Code.FailedPrecondition });
  expect(String(error)).toContain('lower max_batch');
});

test.each([
  [429, 'Overloaded', Code.ResourceExhausted],
  [424, 'Backend', Code.Unavailable],
])('status %i', async (status, error_type, code) => {
  server.next({ status, json: { error: 'no', error_type } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code });
  expect(errorInfoOf(error)?.metadata).toMatchObject({ dependency: 'tei' });
});
