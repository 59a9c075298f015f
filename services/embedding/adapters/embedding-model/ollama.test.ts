import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { embeddingModelSuite } from '../../suites/embedding-model.suite.ts';
import { createWith, failureOf, vectorOf } from '../../testing/vendor.ts';
import { adapter } from './ollama.ts';

// Replies in the shape of ollama/ollama api/types.go (EmbedResponse; prompt_eval_count is absent if it is 0) and docs/api.md; errors
// as {"error": "…"} of server/routes.go.

const never = new AbortController().signal;
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => {
    const { input, model } = body as { input: string[]; model: string };
    const embeddings = input.map((text) => vectorOf(text, 128));
    return { json: { model, embeddings, total_duration: 14143917, load_duration: 1019500, prompt_eval_count: 8 } };
  });
});
afterAll(() => server[Symbol.asyncDispose]());
const create = (given = {}) => createWith(adapter, { base_url: server.url, model: 'mini', dimensions: 128, ...given });
const embed = async (texts: string[], given = {}) => (await create(given)).embed(texts, Purpose.DOCUMENT, never);

embeddingModelSuite('ollama', create);

test('the request is exactly this: nothing is cut in silence', async () => {
  expect(await embed(['a', 'b'], { keep_alive: '5m', num_ctx: 8192 })).toMatchObject({
    promptTokens: 8,
    reported: true,
  });
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization'])).toMatchInlineSnapshot(`
    {
      "body": {
        "input": [
          "a",
          "b",
        ],
        "keep_alive": "5m",
        "model": "mini",
        "options": {
          "num_ctx": 8192,
        },
        "truncate": false,
      },
      "headers": {},
      "request": "POST /api/embed",
    }
  `);
});

test('a text that is too long is refused, and named', async () => {
  const refusal = { status: 400, json: { error: 'the input length exceeds the context length' } };
  server.next(refusal, refusal);
  expect(await failureOf(embed(['a', 'b '.repeat(999)]))).toMatchObject({ name: 'TextTooLongError', textIndex: 1 });
});

test('a count that is left out is not zero: it is estimated', async () => {
  server.next({ json: { model: 'mini', embeddings: [vectorOf('a', 128)] } });
  const batch = await embed(['refund']);
  expect(batch.reported).toBe(false);
  expect(batch.promptTokens).toBeGreaterThan(0);
});

test.each([
  [404, 'model "mini" not found, try pulling it first', Code.FailedPrecondition],
  [503, 'server busy, please try again.  maximum pending requests exceeded', Code.Unavailable],
  [500, 'llama runner process has terminated', Code.Unavailable],
])('status %i', async (status, error, code) => {
  server.next({ status, json: { error } });
  expect(await failureOf(embed(['a']))).toMatchObject({ code });
});

test('fewer vectors than texts are an error', async () => {
  server.next({ json: { model: 'mini', embeddings: [vectorOf('a', 128)] } });
  expect(errorInfoOf(await failureOf(embed(['a', 'b'])))?.reason).toBe('PROVIDER_REPLY_INVALID');
});
