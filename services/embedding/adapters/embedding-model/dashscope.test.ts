import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './dashscope.ts';

// Replies in the shape of help.aliyun.com/model-studio/text-embedding-synchronous-api ("DashScope"); errors as on
// alibabacloud.com/help/en/model-studio/error-code.

const never = new AbortController().signal;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input } = body as { input: { texts: string[] } };
    const embeddings = input.texts.map((text, text_index) => ({ embedding: vectorOf(text, 256), text_index }));
    // The order of the list is not promised; that of text_index is.
    embeddings.reverse();
    return {
      json: {
        status_code: 200,
        request_id: '1ba94ac8',
        code: '',
        message: '',
        output: { embeddings },
        usage: { total_tokens: 26 },
      },
    };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, { base_url: server.url, api_key: 'sk-1', dimensions: 256, ...given });

embeddingModelSuite('dashscope', create);

test('the requests are exactly these: a question is not embedded as a document is', async () => {
  const model = await create({ instruct: 'Find the help page that answers' });
  expect(await model.embed(['运费'], Purpose.QUERY, never)).toMatchObject({ promptTokens: 26, reported: true });
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization'])).toMatchInlineSnapshot(`
    {
      "body": {
        "input": {
          "texts": [
            "运费",
          ],
        },
        "model": "text-embedding-v4",
        "parameters": {
          "dimension": 256,
          "instruct": "Find the help page that answers",
          "output_type": "dense",
          "text_type": "query",
        },
      },
      "headers": {
        "authorization": "Bearer sk-1",
      },
      "request": "POST /api/v1/services/embeddings/text-embedding/text-embedding",
    }
  `);
  await model.embed(['运费由买家承担'], Purpose.DOCUMENT, never);
  expect(server.requests.at(-1)?.body).toHaveProperty('parameters', {
    text_type: 'document',
    output_type: 'dense',
    dimension: 256,
  });
});

test('a batch is what the model takes', async () => {
  expect((await create()).maxBatch).toBe(10);
  expect((await create({ model: 'text-embedding-v2' })).maxBatch).toBe(25);
});

test.each([
  [429, 'Throttling.RateQuota', Code.ResourceExhausted],
  [429, 'Throttling.AllocationQuota', Code.ResourceExhausted],
  [400, 'Arrearage', Code.FailedPrecondition],
  [401, 'InvalidApiKey', Code.FailedPrecondition],
  [400, 'DataInspectionFailed', Code.InvalidArgument],
  [400, 'InvalidParameter', Code.InvalidArgument],
  [500, 'InternalError.Timeout', Code.Unavailable],
])('%i %s', async (status, word, code) => {
  server.next({ status, json: { request_id: '1ba94ac8', code: word, message: 'no' } });
  expect(await failureOf((await create()).embed(['a'], Purpose.DOCUMENT, never))).toMatchObject({ code });
});

test('a text that is too long is named', async () => {
  const json = { request_id: '1', code: 'InvalidParameter', message: 'Range of input length should be [1, 8192]' };
  server.next({ status: 400, json });
  const failure = await failureOf((await create()).embed(['a'], Purpose.DOCUMENT, never));
  expect(failure).toMatchObject({ name: 'TextTooLongError', textIndex: 0 });
});
