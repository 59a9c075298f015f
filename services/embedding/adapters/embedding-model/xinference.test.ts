import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './xinference.ts';

// Replies in the shape of xorbitsai/inference xinference/types.py (Embedding, EmbeddingData, whose embedding is a list or a mapping);
// errors as FastAPI's {"detail": …} of xinference/api/restful_api.py.

const never = new AbortController().signal;
let replica = 0;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input, model } = body as { input: string[]; model: string };
    const data = input.map((text, index) => ({ index, object: 'embedding', embedding: vectorOf(text, 128) }));
    const usage = { prompt_tokens: 9, total_tokens: 9 };
    return { json: { object: 'list', model: `${model}-${replica++ % 2}`, model_replica: `${model}-0`, data, usage } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, { base_url: `${server.url}/v1`, model: 'my-bge-m3', dimensions: 128, ...given });
const embed = async (texts: string[], given = {}) => (await create(given)).embed(texts, Purpose.DOCUMENT, never);

embeddingModelSuite('xinference', create);

test('the request is exactly this: no dimensions and no encoding, which it does not know', async () => {
  expect(await embed(['a'])).toMatchObject({ promptTokens: 9, reported: true });
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization'])).toMatchInlineSnapshot(`
    {
      "body": {
        "input": [
          "a",
        ],
        "model": "my-bge-m3",
      },
      "headers": {},
      "request": "POST /v1/embeddings",
    }
  `);
});

test('sparse vectors are refused in so many words', async () => {
  const data = [{ index: 0, object: 'embedding', embedding: { '6': 0.12, '581': 0.3 } }];
  server.next({ json: { object: 'list', model: 'my-bge-m3', data, usage: { prompt_tokens: 1, total_tokens: 1 } } });
  const error = await failureOf(embed(['a']));
  expect(error).toMatchObject({ code: Code.FailedPrecondition });
  expect(String(error)).toContain('sparse vectors');
});

test.each([
  [400, 'Model not found in the model list, uid: my-bge-m3', Code.InvalidArgument],
  [401, 'Could not validate credentials', Code.FailedPrecondition],
  [429, 'Rate limit reached for the model', Code.ResourceExhausted],
  [500, '[address=127.0.0.1:40000, pid=1] remote server closed', Code.Unavailable],
])('status %i', async (status, detail, code) => {
  server.next({ status, json: { detail } });
  expect(await failureOf(embed(['a']))).toMatchObject({ code });
});
