import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Loopback, startLoopback } from '../testing/http.ts';
import { freePort } from '../testing/server.ts';
import { HttpFailure, isTooLong, toProviderError } from './failure.ts';
import { createHttpClient, postJson } from './json.ts';

const never = new AbortController().signal;
const http = createHttpClient({ connectTimeoutMs: 500 });
let server: Loopback;
beforeAll(async () => {
  server = await startLoopback(({ body }) => ({ json: { got: body } }));
});
afterAll(async () => {
  await http.close();
  await server[Symbol.asyncDispose]();
});

const post = (given: { url?: string; maxReplyBytes?: number; timeoutMs?: number } = {}, signal = never) =>
  postJson(
    { dependency: 'x', fetch: http.fetch, url: server.url, body: { a: '退' }, timeoutMs: 5000, ...given },
    signal,
  );
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

test('JSON goes there and back', async () => {
  expect(await post()).toEqual({ got: { a: '退' } });
});

test('a reply that is too large, cut off or no JSON is no reply', async () => {
  expect(await failureOf(post({ maxReplyBytes: 5 }))).toMatchObject({ code: Code.Unavailable });
  server.next({ json: { got: 'x'.repeat(1000) }, cut: true });
  expect(await failureOf(post())).toMatchObject({ code: Code.Unavailable });
  server.next({ text: '<html>' });
  expect(String(await failureOf(post()))).toContain('not JSON');
});

test('a redirection is not followed: a key must not go to an address that a server names', async () => {
  server.next({ status: 307, headers: { location: `${server.url}/elsewhere` } });
  const failure = await failureOf(post());
  expect(failure).toBeInstanceOf(HttpFailure);
  expect(toProviderError('x', failure, 0)).toMatchObject({ code: Code.FailedPrecondition });
});

test('the reasons of a wait that ends are distinguished', async () => {
  server.next({ hang: true }, { hang: true });
  expect(String(await failureOf(post({ timeoutMs: 50 })))).toContain('no reply within 50 ms');
  const reason = new Error('gone');
  expect(await failureOf(post({}, AbortSignal.abort(reason)))).toBe(reason);
  const url = `http://127.0.0.1:${await freePort()}`;
  expect(String(await failureOf(post({ url })))).toContain('cannot be reached or ended early (ECONNREFUSED)');
});

describe('the words of a failure', () => {
  const failure = (status: number, body: unknown) => new HttpFailure(status, body, new Headers());

  test.each([
    [{ error: { message: 'm', type: 't', code: 'c' } }, 'c'],
    [{ error: { message: 'm', type: 't', code: null } }, 't'],
    [{ error: 'in words', error_type: 'Overloaded' }, 'Overloaded'],
    [{ code: 'Throttling.RateQuota', message: 'm' }, 'Throttling.RateQuota'],
    [{ error: { code: 400, message: 'm' } }, ''],
    [{ error: { code: 'a sentence that may quote a document', message: 'm' } }, ''],
    [undefined, ''],
    ['text', ''],
    [[1], ''],
  ])('%j', (body, code) => {
    expect(failure(400, body).code).toBe(code);
    expect(failure(400, body).message).not.toContain('document');
  });

  test.each([
    [400, "This model's maximum context length is 8192 tokens", true],
    [413, '`inputs` must have less than 512 tokens. Given: 600', true],
    [400, 'the input length exceeds the context length', true],
    [500, 'input (702 tokens) is too large to process. increase the physical batch size', true],
    [400, 'Range of input length should be [1, 8192]', true],
    [429, 'Too many tokens in the last minute', false],
    [400, 'model not found', false],
  ])('%i "%s": too long is %s', (status, message, expected) => {
    expect(isTooLong(failure(status, { error: { message } }))).toBe(expected);
  });
});
