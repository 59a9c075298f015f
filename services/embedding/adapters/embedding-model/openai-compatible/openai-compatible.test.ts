import { inspect } from 'node:util';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { Purpose } from '#gen/ragmesh/embedding/v1/embedding_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { type Loopback, type LoopbackRequest, shown, startLoopback } from '#kit/testing/http.ts';
import { freePort } from '#kit/testing/server.ts';
import { embeddingModelSuite } from '../../../suites/embedding-model.suite.ts';
import { base64Of, createWith, failureOf, vectorOf } from '../../../testing/vendor.ts';
import { adapter } from './index.ts';

// Replies in the shape of openai/openai-openapi, CreateEmbeddingResponse; errors in that of ErrorResponse.

const key = 'sk-secret-of-the-test';
const never = new AbortController().signal;
let server: Loopback;

const reply = ({ body }: LoopbackRequest) => {
  const {
    input,
    model,
    encoding_format: encoding,
  } = body as { input: string[]; model: string; encoding_format: string };
  const data = input.map((text, index) => {
    const vector = vectorOf(text, 128);
    return { object: 'embedding', index, embedding: encoding === 'base64' ? base64Of(vector) : vector };
  });
  // The order of the list is not promised; that of `index` is.
  data.reverse();
  return { json: { object: 'list', data, model, usage: { prompt_tokens: 7, total_tokens: 7 } } };
};
const refusal = (status: number, error: object, headers: Record<string, string> = {}) => ({
  status,
  headers,
  json: { error: { message: `no: ${key}`, param: null, ...error } },
});

beforeAll(async () => {
  server = await startLoopback(reply);
});
afterAll(() => server[Symbol.asyncDispose]());

const create = (given: Record<string, unknown> = {}) =>
  createWith(adapter, { base_url: `${server.url}/v1`, api_key: key, model: 'mini', dimensions: 128, ...given });
const embed = async (texts: string[], given = {}) => (await create(given)).embed(texts, Purpose.DOCUMENT, never);

embeddingModelSuite('openai-compatible', create);
embeddingModelSuite('openai-compatible in numbers', () => create({ encoding: 'float' }));

test('the request is exactly this', async () => {
  await embed(['a', 'b'], { send_dimensions: true, document_prefix: 'passage: ' });
  expect(shown(server.requests.at(-1) as LoopbackRequest, ['authorization', 'content-type'])).toMatchInlineSnapshot(`
    {
      "body": {
        "dimensions": 128,
        "encoding_format": "base64",
        "input": [
          "passage: a",
          "passage: b",
        ],
        "model": "mini",
      },
      "headers": {
        "authorization": "Bearer sk-secret-of-the-test",
        "content-type": "application/json",
      },
      "request": "POST /v1/embeddings",
    }
  `);
});

describe('a model that embeds questions and documents differently', () => {
  const bodyOf = async (purpose: Purpose, given: Record<string, unknown>) => {
    await (await create(given)).embed(['a'], purpose, never);
    return server.requests.at(-1)?.body as Record<string, unknown>;
  };

  test('has another name for questions, also in its replies', async () => {
    const model = await create({ query_model: 'mini-query' });
    for (const [purpose, name] of [
      [Purpose.QUERY, 'mini-query'],
      [Purpose.DOCUMENT, 'mini'],
      [Purpose.QUERY, 'mini-query'],
    ] as const) {
      await model.embed(['a'], purpose, never);
      expect(server.requests.at(-1)?.body).toMatchObject({ model: name });
    }
  });

  test('gets a field of the request', async () => {
    const jina = { purpose_field: 'task', query_purpose: 'retrieval.query', document_purpose: 'retrieval.passage' };
    expect(await bodyOf(Purpose.QUERY, jina)).toMatchObject({ task: 'retrieval.query', model: 'mini' });
    expect(await bodyOf(Purpose.DOCUMENT, jina)).toMatchObject({ task: 'retrieval.passage', model: 'mini' });
    expect(await bodyOf(Purpose.DOCUMENT, { purpose_field: 'input_type' })).toMatchObject({ input_type: 'document' });
    expect(await bodyOf(Purpose.QUERY, {})).not.toHaveProperty('input_type');
    for (const field of ['model', 'input', 'a b']) {
      await expect(bodyOf(Purpose.QUERY, { purpose_field: field })).rejects.toThrow('free field');
    }
  });

  test('has a space of its own for each way', async () => {
    const names = await Promise.all(
      [{}, { query_model: 'mini-query' }, { purpose_field: 'task' }, { purpose_field: 'input_type' }].map(
        async (given) => (await create(given)).name,
      ),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names[0]).toBe('mini-128');
  });
});

test('no key is sent if there is none, and nothing is read from the environment', async () => {
  await embed(['a'], { api_key: '' });
  const { headers } = server.requests.at(-1) as LoopbackRequest;
  expect(headers.authorization).toBeUndefined();
  expect(headers['openai-organization']).toBeUndefined();
});

test('usage is what the provider counts, and an explicit zero is a count', async () => {
  expect(await embed(['a'])).toMatchObject({ promptTokens: 7, reported: true });
  const data = [{ object: 'embedding', index: 0, embedding: vectorOf('a', 128) }];
  server.next({ json: { object: 'list', data, model: 'mini', usage: { prompt_tokens: 0, total_tokens: 0 } } });
  expect(await embed(['a'])).toMatchObject({ promptTokens: 0, reported: true });
  server.next({ json: { object: 'list', data, model: 'mini' } });
  expect(await embed(['a'])).toMatchObject({ reported: false });
});

describe('errors are typed by code before status, and keep the key to themselves', () => {
  test.each([
    [
      'a rate limit',
      refusal(429, { code: 'rate_limit_exceeded' }, { 'retry-after': '3' }),
      Code.ResourceExhausted,
      'RATE_LIMITED',
    ],
    [
      'a quota behind the same status',
      refusal(429, { code: 'insufficient_quota' }),
      Code.FailedPrecondition,
      'PROVIDER_REFUSED',
    ],
    ['a wrong key', refusal(401, { code: 'invalid_api_key' }), Code.FailedPrecondition, 'PROVIDER_REFUSED'],
    ['an unknown model', refusal(404, { code: 'model_not_found' }), Code.FailedPrecondition, 'PROVIDER_REFUSED'],
    ['a bad request', refusal(400, { type: 'invalid_request_error' }), Code.InvalidArgument, 'FIELD_INVALID'],
    ['a failure', refusal(500, { type: 'server_error' }), Code.Unavailable, 'DEPENDENCY_UNAVAILABLE'],
    [
      'a page in place of JSON',
      { status: 502, text: '<html>Bad gateway</html>' },
      Code.Unavailable,
      'DEPENDENCY_UNAVAILABLE',
    ],
    [
      'a redirection',
      { status: 302, headers: { location: 'http://elsewhere.invalid/' } },
      Code.FailedPrecondition,
      'PROVIDER_REFUSED',
    ],
    [
      'a body that breaks off',
      { ...reply({ body: { input: ['a'], model: 'mini' } } as never), cut: true },
      Code.Unavailable,
      'DEPENDENCY_UNAVAILABLE',
    ],
  ])('%s', async (_, given, code, reason) => {
    server.next(given);
    const before = server.requests.length;
    const error = await failureOf(embed(['a']));
    expect(error).toMatchObject({ code });
    expect(errorInfoOf(error)?.reason).toBe(reason);
    expect(server.requests.length).toBe(before + 1);
    // Its message, stack, details and causes, as a log would show them.
    expect(inspect(error, { depth: 6 })).not.toContain(key);
  });

  test('each form of Retry-After is passed on', async () => {
    const waitOf = async (headers: Record<string, string>) => {
      server.next(refusal(429, {}, headers));
      const error = await failureOf(embed(['a']));
      const delay = (
        error as { findDetails(schema: unknown): { retryDelay: { seconds: bigint; nanos: number } }[] }
      ).findDetails(RetryInfoSchema)[0]?.retryDelay;
      return Number(delay?.seconds) * 1000 + (delay?.nanos ?? 0) / 1e6;
    };
    expect(await waitOf({ 'retry-after': '2' })).toBe(2000);
    expect(await waitOf({ 'retry-after': '1', 'retry-after-ms': '250' })).toBe(250);
    const wait = await waitOf({ 'retry-after': new Date(Date.now() + 30_000).toUTCString() });
    expect(wait).toBeGreaterThan(27_000);
    expect(wait).toBeLessThanOrEqual(30_000);
    expect(await waitOf({ 'retry-after': 'soon' })).toBe(1000);
  });

  test('a server that is not there', async () => {
    const error = await failureOf(embed(['a'], { base_url: `http://127.0.0.1:${await freePort()}/v1` }));
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(String(error)).toContain('ECONNREFUSED');
  });

  test('a server that says nothing', async () => {
    server.next({ hang: true });
    const error = await failureOf(embed(['a'], { timeout_ms: 100 }));
    expect(error).toMatchObject({ code: Code.Unavailable });
    expect(String(error)).toContain('no reply within 100 ms');
  });
});

describe('a text that is too long is named', () => {
  const tooLong = (message: string) => refusal(400, { message, type: 'invalid_request_error', code: null });

  test('by the index that the provider names', async () => {
    server.next(tooLong(`Invalid 'input[2]': maximum context length is 8192 tokens.`));
    expect(await failureOf(embed(['a', ' ', 'c', 'd']))).toMatchObject({ name: 'TextTooLongError', textIndex: 3 });
  });

  test('by asking for the longest one alone, if it names none', async () => {
    const plain = tooLong("This model's maximum context length is 8192 tokens, however you requested 9000 tokens.");
    server.next(plain, plain);
    expect(await failureOf(embed(['a', 'b '.repeat(99), 'c']))).toMatchObject({ textIndex: 1 });
    server.next(plain);
    expect(await failureOf(embed(['a', 'b '.repeat(99), 'c']))).toMatchObject({ textIndex: undefined });
  });
});

test('replies of another model than the first one are refused', async () => {
  const model = await create();
  const data = [{ object: 'embedding', index: 0, embedding: vectorOf('a', 128) }];
  await model.embed(['a'], Purpose.QUERY, never);
  server.next({ json: { object: 'list', data, model: 'mini-2' } });
  const error = await failureOf(model.embed(['a'], Purpose.QUERY, never));
  expect(errorInfoOf(error)?.reason).toBe('PROVIDER_REPLY_INVALID');
  server.next({ json: { object: 'list', data, model: 'other' } });
  expect(String(await failureOf(embed(['a'], { reply_model: 'mini' })))).toContain('"other"');
});

test('giving up reaches the provider', async () => {
  server.next({ hang: true });
  const controller = new AbortController();
  const before = server.requests.length;
  const running = failureOf((await create()).embed(['a'], Purpose.QUERY, controller.signal));
  while (server.requests.length === before) await new Promise(setImmediate);
  const reason = new Error('gone');
  controller.abort(reason);
  expect(await running).toBe(reason);
  await server.gaveUp(1);
});

test.each([
  [{ base_url: 'ftp://x' }, 'embedding.models[0].settings.base_url: is not an http or https address'],
  [{ encoding: 'binary' }, 'allowed: base64, float'],
  [{ model: '' }, 'name the model'],
  [{ dimensions: 0 }, 'dimensions: is missing'],
])('bad settings stop the start: %j', async (given, message) => {
  await expect((async () => create(given))()).rejects.toThrow(message);
});
