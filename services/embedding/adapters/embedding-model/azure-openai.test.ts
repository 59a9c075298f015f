import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { base64Of, createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './azure-openai.ts';

// Replies in the shape of learn.microsoft.com/azure/ai-foundry/openai/latest (Embeddings); the reply names the model, not the deployment.

const never = new AbortController().signal;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input, dimensions = 1536 } = body as { input: string[]; dimensions?: number };
    const data = input.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: base64Of(vectorOf(text, dimensions)),
    }));
    const usage = { prompt_tokens: 3, total_tokens: 3 };
    return { json: { object: 'list', data, model: 'text-embedding-3-small', usage } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) =>
  createWith(adapter, { base_url: server.url, api_key: 'azure-key', deployment: 'shop embeddings', ...given });
const lastRequest = () =>
  shown(server.requests.at(-1) as LoopbackRequest, ['authorization', 'api-key', 'content-type']);

embeddingModelSuite('azure-openai', () => create({ dimensions: 256 }));

test('the v1 API: the deployment is the model, and the key has a header of its own', async () => {
  await (await create()).embed(['a'], Purpose.DOCUMENT, never);
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "encoding_format": "base64",
        "input": [
          "a",
        ],
        "model": "shop embeddings",
      },
      "headers": {
        "api-key": "azure-key",
        "content-type": "application/json",
      },
      "request": "POST /openai/v1/embeddings",
    }
  `);
});

test('the API by deployment: its name is in the path, and a token is a bearer', async () => {
  const model = await create({
    api_version: '2024-10-21',
    api_key: '',
    token: 'entra',
    base_url: `${server.url}/openai/`,
  });
  await model.embed(['a'], Purpose.DOCUMENT, never);
  expect(lastRequest()).toMatchInlineSnapshot(`
    {
      "body": {
        "encoding_format": "base64",
        "input": [
          "a",
        ],
        "model": "shop embeddings",
      },
      "headers": {
        "authorization": "Bearer entra",
        "content-type": "application/json",
      },
      "request": "POST /openai/deployments/shop%20embeddings/embeddings?api-version=2024-10-21",
    }
  `);
});

test('its own header for waiting is passed on', async () => {
  const json = {
    error: { code: '429', message: 'Requests to the Embeddings_Create Operation have exceeded the rate limit' },
  };
  server.next({ status: 429, headers: { 'x-ms-retry-after-ms': '1500' }, json });
  const error = await failureOf((await create()).embed(['a'], Purpose.DOCUMENT, never));
  expect(error).toMatchObject({ code: Code.ResourceExhausted });
});

test('a key and a token together, or neither, stop the start', async () => {
  await expect((async () => create({ token: 'entra' }))()).rejects.toThrow('one of api_key and token is needed');
  await expect((async () => create({ api_key: '' }))()).rejects.toThrow('one of api_key and token is needed');
});
