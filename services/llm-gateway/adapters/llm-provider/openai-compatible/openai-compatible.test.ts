import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, richRequest, scriptedFetch } from '../../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { base_url: 'http://server/v1', api_key: 'sk-test', model: 'gpt' };
const chunk = (delta: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const events = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'Five ' }),
  chunk({ content: 'days [1]' }),
  chunk({}, 'stop'),
  { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 0 } } },
  'data: [DONE]\n\n',
];
const answer = eventStream(events);
const load = (fetch: typeof globalThis.fetch, more = {}) =>
  loadAdapter('openai-compatible', { ...settings, ...more }, fetch);

llmProviderSuite('openai-compatible', () => load(scriptedFetch(answer).fetch));

test('the request holds what was asked for, and nothing else', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await load(fetch)).generate(richRequest(), never));
  await collect((await load(fetch, { api_key: '' })).generate(requestOf(), never));
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "frequency_penalty": 0.1,
          "max_tokens": 500,
          "messages": [
            {
              "content": "Be kind.",
              "role": "system",
            },
            {
              "content": [
                {
                  "text": "退货？",
                  "type": "text",
                },
                {
                  "image_url": {
                    "url": "https://shop.example/lamp.png",
                  },
                  "type": "image_url",
                },
                {
                  "image_url": {
                    "url": "data:image/png;base64,iVBORw==",
                  },
                  "type": "image_url",
                },
              ],
              "role": "user",
            },
            {
              "content": null,
              "role": "assistant",
              "tool_calls": [
                {
                  "function": {
                    "arguments": "{"id":7}",
                    "name": "order",
                  },
                  "id": "c1",
                  "type": "function",
                },
              ],
            },
            {
              "content": "shipped",
              "role": "tool",
              "tool_call_id": "c1",
            },
            {
              "content": "And now?",
              "role": "user",
            },
          ],
          "model": "gpt",
          "parallel_tool_calls": false,
          "presence_penalty": -0.2,
          "reasoning_effort": "low",
          "response_format": {
            "json_schema": {
              "name": "answer",
              "schema": {
                "type": "object",
              },
              "strict": false,
            },
            "type": "json_schema",
          },
          "seed": 42,
          "stop": [
            "END",
          ],
          "stream": true,
          "stream_options": {
            "include_usage": true,
          },
          "temperature": 0.7,
          "tool_choice": {
            "function": {
              "name": "order",
            },
            "type": "function",
          },
          "tools": [
            {
              "function": {
                "description": "finds an order",
                "name": "order",
                "parameters": {
                  "type": "object",
                },
              },
              "type": "function",
            },
          ],
          "top_p": 0.9,
        },
        "headers": {
          "accept": "application/json",
          "authorization": "Bearer sk-test",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "http://server/v1/chat/completions",
      },
      {
        "body": {
          "messages": [
            {
              "content": "How long does a refund to a credit card take?",
              "role": "user",
            },
          ],
          "model": "gpt",
          "stream": true,
          "stream_options": {
            "include_usage": true,
          },
        },
        "headers": {
          "accept": "application/json",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "http://server/v1/chat/completions",
      },
    ]
  `);
});

test('nothing out of the environment of the SDK is sent, to whomever', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const names = ['OPENAI_CUSTOM_HEADERS', 'OPENAI_ORG_ID', 'OPENAI_API_KEY', 'OPENAI_BASE_URL'];
  const before = names.map((name) => [name, process.env[name]] as const);
  try {
    process.env.OPENAI_CUSTOM_HEADERS = 'x-secret: leak\nauthorization: Bearer leak';
    for (const name of names.slice(1)) process.env[name] = 'leak';
    await collect((await load(fetch)).generate(requestOf(), never));
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
  expect(JSON.stringify(sent)).not.toContain('leak');
  expect(sent[0]?.headers.authorization).toBe('Bearer sk-test');
});

test('a model that is not named is the first one that the server lists, embedding models aside', async () => {
  const list = jsonReply(200, { object: 'list', data: [{ id: 'bge-embed' }, { id: 'qwen3' }] });
  const { fetch, sent } = scriptedFetch(list, answer);
  const provider = await load(fetch, { model: '' });
  expect(provider.name).toBe('server');
  for (const _ of [1, 2]) {
    const [started] = await collect(provider.generate(requestOf(), never));
    expect(started).toMatchObject({ kind: 'started', model: 'qwen3' });
  }
  expect(sent.map(({ method, url }) => [method, url])).toEqual([
    ['GET', 'http://server/v1/models'],
    ['POST', 'http://server/v1/chat/completions'],
    ['POST', 'http://server/v1/chat/completions'],
  ]);
});

test('a server without models, or without a list of them, is reported as such', async () => {
  const empty = scriptedFetch(jsonReply(200, { object: 'list', data: [] }));
  const closed = scriptedFetch(jsonReply(401, { error: { code: 'invalid_api_key' } }));
  const error = async (fetch: typeof globalThis.fetch) =>
    providerErrorOf((await load(fetch, { model: '' })).generate(requestOf(), never));
  expect(await error(empty.fetch)).toMatchObject({ remedy: 'elsewhere', kind: 'model-unknown' });
  expect(await error(closed.fetch)).toMatchObject({ remedy: 'elsewhere', kind: 'auth', status: 401 });
});

test.each(['ftp://server', 'server:8000', ''])('an address that is none stops the start: "%s"', async (base_url) => {
  await expect(loadAdapter('openai-compatible', { base_url })).rejects.toThrow(
    'llm_gateway.models[0].settings.base_url',
  );
});

test('an error is thrown once, without a second try, and its text is kept back', async () => {
  const { fetch, sent } = scriptedFetch(
    jsonReply(503, { error: { message: 'secret prompt' } }, { 'retry-after': '2' }),
  );
  const error = await providerErrorOf((await load(fetch)).generate(requestOf(), never));
  expect(error).toMatchObject({ remedy: 'retry', kind: 'overloaded', status: 503, retryAfterMs: 2000 });
  expect(error.message).not.toContain('secret prompt');
  expect(sent).toHaveLength(1);
});

/** A server on loopback, for what only a real connection shows. */
async function startServer(reply: (response: ServerResponse, request: IncomingMessage) => void) {
  const brokenOff = Promise.withResolvers<void>();
  const sockets = new Set<unknown>();
  const server = createServer((request, response) => {
    sockets.add(request.socket);
    response.on('close', () => {
      if (!response.writableFinished) brokenOff.resolve();
    });
    request.resume().on('end', () => reply(response, request));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    brokenOff: brokenOff.promise,
    connectionCount: () => sockets.size,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
const write = (response: ServerResponse, parts: readonly (object | string)[]) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const part of parts) response.write(typeof part === 'string' ? part : `data: ${JSON.stringify(part)}\n\n`);
};

test('connections are used again: what follows [DONE] is read', async () => {
  await using server = await startServer((response) => {
    write(response, events);
    setImmediate(() => response.end());
  });
  const provider = await load(globalThis.fetch, { base_url: server.url });
  for (let count = 0; count < 5; count++) await collect(provider.generate(requestOf(), never));
  // A second one may be opened while the first is being put back.
  expect(server.connectionCount()).toBeLessThanOrEqual(2);
});

test('a connection that breaks in the middle is an error', async () => {
  await using server = await startServer((response) => {
    write(response, [chunk({ content: 'a' })]);
    setImmediate(() => response.destroy());
  });
  const provider = await load(globalThis.fetch, { base_url: server.url });
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({
    remedy: 'retry',
    kind: 'broken',
    status: undefined,
  });
});

test('a server that is not there is an error with the reason of the network', async () => {
  const server = await startServer(() => {});
  await server[Symbol.asyncDispose]();
  const provider = await load(globalThis.fetch, { base_url: server.url });
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({
    remedy: 'retry',
    kind: 'broken',
    code: 'ECONNREFUSED',
  });
});

test.each([
  ['before the head', []],
  ['in the body', [chunk({ content: 'a' })]],
])('a call that is given up breaks off the connection: %s', async (_, parts) => {
  const reached = Promise.withResolvers<void>();
  await using server = await startServer((response) => {
    if (parts.length > 0) write(response, parts);
    reached.resolve();
  });
  const controller = new AbortController();
  const reason = new Error('gone');
  const provider = await load(globalThis.fetch, { base_url: server.url });
  const consumed = collect(provider.generate(requestOf(), controller.signal));
  const rejected = expect(consumed).rejects.toBe(reason);
  await reached.promise;
  controller.abort(reason);
  await rejected;
  await server.brokenOff;
});

test('a consumer that leaves closes the connection', async () => {
  await using server = await startServer((response) => write(response, [chunk({ content: 'a' })]));
  const provider = await load(globalThis.fetch, { base_url: server.url });
  for await (const { kind } of provider.generate(requestOf(), never)) if (kind === 'text') break;
  await server.brokenOff;
});
