import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { base64Of, createWith, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './openai.ts';

// Replies in the shape of openai/openai-openapi, CreateEmbeddingResponse.

const never = new AbortController().signal;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input, model, dimensions = 1536 } = body as { input: string[]; model: string; dimensions?: number };
    const data = input.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: base64Of(vectorOf(text, dimensions)),
    }));
    return {
      json: { object: 'list', data, model, usage: { prompt_tokens: input.length, total_tokens: input.length } },
    };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: `${server.url}/v1`, api_key: 'sk-1', ...given });
const lastRequest = () => shown(server.requests.at(-1) as LoopbackRequest, ['authorization']);

embeddingModelSuite('openai', () => create({ dimensions: 256 }));

test('dimensions are requested only if they are not those of the model', async () => {
  await (await create()).embed(['a'], Purpose.DOCUMENT, never);
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "encoding_format": "base64",
        "input": [
          "a",
        ],
        "model": "text-embedding-3-small",
      },
      "headers": {
        "authorization": "Bearer sk-1",
      },
      "request": "POST /v1/embeddings",
    }
  `);
  const short = await create({ model: 'text-embedding-3-large', dimensions: 256 });
  await short.embed(['a'], Purpose.QUERY, never);
  expect(lastRequest().body).toMatchObject({ dimensions: 256, model: 'text-embedding-3-large' });
  expect(short).toMatchObject({ name: 'text-embedding-3-large-256', maxInputTokens: 8192, maxBatchTokens: 200_000 });
});
