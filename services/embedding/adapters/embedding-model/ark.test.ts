import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './ark.ts';

// Replies in the shape of volcengine/volcengine-python-sdk, volcenginesdkarkruntime/types/create_embedding_response.py; errors as on
// volcengine.com/docs/82379/1299023.

const never = new AbortController().signal;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input } = body as { input: string[] };
    const data = input.map((text, index) => ({ object: 'embedding', index, embedding: vectorOf(text, 128) }));
    // An endpoint answers in the name of the model behind it.
    const usage = { prompt_tokens: 5, total_tokens: 5 };
    return {
      json: { id: '0217', created: 1725000000, object: 'list', data, model: 'doubao-embedding-text-240715', usage },
    };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, {
    base_url: `${server.url}/api/v3`,
    api_key: 'ark-1',
    model: 'ep-20241101-abcde',
    dimensions: 128,
    ...given,
  });

embeddingModelSuite('ark', create);

test('the request is exactly this', async () => {
  await (await create({ query_prefix: '为这个句子生成表示以用于检索相关文章：' })).embed(
    ['运费'],
    Purpose.QUERY,
    never,
  );
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization'])).toMatchInlineSnapshot(`
    {
      "body": {
        "encoding_format": "float",
        "input": [
          "为这个句子生成表示以用于检索相关文章：运费",
        ],
        "model": "ep-20241101-abcde",
      },
      "headers": {
        "authorization": "Bearer ark-1",
      },
      "request": "POST /api/v3/embeddings",
    }
  `);
});

test.each([
  ['RateLimitExceeded.EndpointRPMExceeded', 429, Code.ResourceExhausted],
  ['ServerOverloaded', 429, Code.ResourceExhausted],
  ['SetLimitExceeded', 429, Code.FailedPrecondition],
  ['QuotaExceeded', 429, Code.FailedPrecondition],
  ['AccountOverdueError', 403, Code.FailedPrecondition],
  ['ModelNotOpen', 404, Code.FailedPrecondition],
  ['SensitiveContentDetected', 400, Code.InvalidArgument],
  ['InternalServiceError', 500, Code.Unavailable],
])('%s', async (word, status, code) => {
  server.next({ status, json: { error: { code: word, message: 'no', param: '', type: 'x' }, request_id: '0217' } });
  expect(await failureOf((await create()).embed(['a'], Purpose.DOCUMENT, never))).toMatchObject({ code });
});
