import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './tei.ts';

// Replies in the shape of huggingface/text-embeddings-inference router/src/http/types.rs (EmbedResponse); errors as {error, error_type} of
// router/src/lib.rs with the statuses of router/src/http/server.rs.

const never = new AbortController().signal;
const batchCap = 32;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { inputs } = body as { inputs: string[] };
    if (inputs.length > batchCap) {
      const error = `batch size ${inputs.length} > maximum allowed batch size ${batchCap}`;
      return { status: 422, json: { error, error_type: 'Validation' } };
    }
    return { json: inputs.map((text) => vectorOf(text, 128)) };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, { base_url: server.url, model: 'BAAI/mini', dimensions: 128, ...given });
const embed = async (texts: string[], given = {}) => (await create(given)).embed(texts, Purpose.DOCUMENT, never);

embeddingModelSuite('tei', create);

test('the request is exactly this: nothing is cut in silence, and each purpose has its prompt', async () => {
  const model = await create({ query_prompt: 'query', api_key: 'hf_1' });
  await model.embed(['a'], Purpose.QUERY, never);
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization'])).toMatchInlineSnapshot(`
    {
      "body": {
        "inputs": [
          "a",
        ],
        "normalize": true,
        "prompt_name": "query",
        "truncate": false,
      },
      "headers": {
        "authorization": "Bearer hf_1",
      },
      "request": "POST /embed",
    }
  `);
  await model.embed(['a'], Purpose.DOCUMENT, never);
  expect(server.requests.at(-1)?.body).not.toHaveProperty('prompt_name');
});

test('a batch that is too large says what to set', async () => {
  const error = await failureOf(
    embed(
      Array.from({ length: 33 }, () => 'a'),
      { max_batch: 64 },
    ),
  );
  expect(error).toMatchObject({ code: Code.FailedPrecondition });
  expect(String(error)).toContain('lower max_batch');
});

test('a text that is too long is named', async () => {
  const json = { error: '`inputs` must have less than 512 tokens. Given: 600', error_type: 'Validation' };
  server.next({ status: 413, json }, { status: 413, json });
  expect(await failureOf(embed(['a', 'b '.repeat(600)]))).toMatchObject({ name: 'TextTooLongError', textIndex: 1 });
});

test.each([
  [429, 'Overloaded', Code.ResourceExhausted],
  [424, 'Backend', Code.Unavailable],
  [503, 'Unhealthy', Code.Unavailable],
  [422, 'Tokenizer', Code.InvalidArgument],
  [401, 'Unauthorized', Code.FailedPrecondition],
])('status %i', async (status, error_type, code) => {
  server.next({ status, json: { error: 'no', error_type } });
  expect(await failureOf(embed(['a']))).toMatchObject({ code });
});
