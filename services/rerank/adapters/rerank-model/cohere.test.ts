import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ScoreScale } from '#gen/ragmesh/rerank/v1/rerank_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { candidatesOf, rerankModelSuite, scoresOf } from '../../suites/rerank-model.suite.ts';
import { createWith, failureOf, overlap } from '../../testing/vendor.ts';
import { adapter } from './cohere.ts';

// Replies in the shape of docs.cohere.com/reference/rerank; errors as on docs.cohere.com/reference/errors.

let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { query, documents } = body as { query: string; documents: string[] };
    const results = documents.map((text, index) => ({ index, relevance_score: overlap(query, text) }));
    results.sort((a, b) => b.relevance_score - a.relevance_score);
    const meta = { api_version: { version: '2' }, billed_units: { search_units: 1 }, tokens: { input_tokens: 12 } };
    return { json: { id: '07734bd2', results, meta } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: server.url, api_key: 'co-1', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);
const two = [{ text: 'Refunds take five days.', title: 'Refunds' }, { text: 'We open at ten.' }];
const score = async (given = {}) => scoresOf(await create(given), 'refund', two);

rerankModelSuite('cohere', create, 10);

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
        "max_tokens_per_doc": 4096,
        "model": "rerank-v3.5",
        "query": "refund",
        "top_n": 2,
      },
      "headers": {
        "authorization": "Bearer co-1",
      },
      "request": "POST /v2/rerank",
    }
  `);
});

test.each([
  [429, 'You are using a Trial key, which is limited to 10 API calls / minute.', Code.ResourceExhausted],
  [401, 'invalid api token', Code.FailedPrecondition],
  [402, 'Please add or update your payment method', Code.FailedPrecondition],
  [404, "model 'x' not found", Code.FailedPrecondition],
  [400, 'invalid request: list of documents must not be empty', Code.InvalidArgument],
  [503, 'overloaded', Code.Unavailable],
])('status %i', async (status, message, code) => {
  server.next({ status, json: { message } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code });
  expect(String(error)).not.toContain(message);
});

const row = (index: unknown, relevance_score: unknown) => ({ index, relevance_score });
test.each([
  ['left out', [row(0, 0.5)]],
  ['given twice', [row(0, 0.5), row(0, 0.4)]],
  ['of a passage that was not sent', [row(0, 0.5), row(2, 0.4)]],
  ['below the first passage', [row(0, 0.5), row(-1, 0.4)]],
  ['of no passage', [row(0, 0.5), row(undefined, 0.4)]],
  ['no number', [row(0, 0.5), row(1, 'high')]],
  ['absent', [row(0, 0.5), row(1, null)]],
  ['beyond its scale', [row(0, 0.5), row(1, 7.5)]],
])('a score that is %s is an error, never a guess', async (_, results) => {
  server.next({ json: { id: '1', results } });
  const error = await failureOf(score());
  expect(error).toMatchObject({ code: Code.Internal });
  expect(errorInfoOf(error)?.reason).toBe('PROVIDER_REPLY_INVALID');
});

test('giving up reaches the provider', async () => {
  server.next({ hang: true });
  const controller = new AbortController();
  const before = server.requests.length;
  const batches = (await create()).rerank('a', [], controller.signal, () => ({}));
  expect((await batches[Symbol.asyncIterator]().next()).done).toBe(true);
  const running = (await create()).rerank('a', candidatesOf(two), controller.signal, () => ({}));
  const failed = failureOf(running[Symbol.asyncIterator]().next());
  while (server.requests.length === before) await new Promise(setImmediate);
  const reason = new Error('gone');
  controller.abort(reason);
  expect(await failed).toBe(reason);
  await server.gaveUp(1);
});

test('scores are 0 to 1', async () => expect((await create()).scale).toBe(ScoreScale.UNIT));
