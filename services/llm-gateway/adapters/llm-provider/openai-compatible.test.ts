import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { MessageRole, MessageSchema, Outcome, ToolSchema } from '#gen/ragmesh/llm/v1/llm_pb.ts';
import { errorInfoOf } from '#kit/errors.ts';
import { createLogger } from '#kit/log.ts';
import { collect } from '#kit/streams.ts';
import { llmProviderSuite, requestOf } from '../../llm-provider.suite.ts';
import type { ProviderEvent } from '../../llm-provider.ts';
import {
  content,
  doneMark,
  type FakeProvider,
  failed,
  finish,
  type Reply,
  startFakeProvider,
  streamed,
  usage,
} from '../../testing.ts';
import { adapter } from './openai-compatible.ts';

const never = new AbortController().signal;
const createProvider = (baseUrl: string, settings: Partial<Parameters<typeof adapter.create>[0]> = {}) => {
  const defaults = Object.fromEntries(
    Object.entries(adapter.settings).map(([name, setting]) => [name, setting.default]),
  ) as Parameters<typeof adapter.create>[0];
  const deps = { log: createLogger('silent'), path: 'llm.models[0]' };
  return adapter.create({ ...defaults, base_url: baseUrl, model: 'gpt', api_key: 'sk-test', ...settings }, deps);
};
/** Events of one completion that gets this reply. */
const eventsOf = async (reply: Reply, request = requestOf()): Promise<ProviderEvent[]> => {
  await using server = await startFakeProvider(reply);
  return await collect((await createProvider(server.url)).generate(request, never));
};
const errorOf = async (reply: Reply): Promise<ConnectError> => {
  const thrown = await eventsOf(reply).then(undefined, (error: unknown) => error);
  if (!(thrown instanceof ConnectError)) throw thrown;
  return thrown;
};

describe('with a server that works', () => {
  let server: FakeProvider;
  beforeAll(async () => {
    server = await startFakeProvider(
      streamed([content('Five '), content('days [1]'), finish('stop'), usage(9, 4), doneMark]),
    );
  });
  afterAll(() => server[Symbol.asyncDispose]());
  llmProviderSuite('openai-compatible', async () => createProvider(server.url));
});

test('the request holds what was asked for, and nothing else', async () => {
  await using server = await startFakeProvider(streamed([finish('stop')]));
  const message = (role: MessageRole, text: string, init = {}) => create(MessageSchema, { role, text, ...init });
  const request = requestOf({
    messages: [
      message(MessageRole.SYSTEM, 'Be kind.'),
      message(MessageRole.USER, '退货？'),
      message(MessageRole.ASSISTANT, '', { toolCalls: [{ id: 'c1', name: 'order', argumentsJson: '{"id":7}' }] }),
      message(MessageRole.TOOL, 'shipped', { toolCallId: 'c1' }),
      message(MessageRole.USER, 'And now?'),
    ],
    maxTokens: 500,
    temperature: Math.fround(0.7),
    topP: Math.fround(0.9),
    stop: ['END'],
    tools: [create(ToolSchema, { name: 'order', description: 'finds an order', parametersJson: '{"type":"object"}' })],
  });
  await collect((await createProvider(server.url)).generate(request, never));
  await collect((await createProvider(server.url)).generate(requestOf(), never));
  expect(server.requests).toMatchInlineSnapshot(`
    [
      {
        "max_tokens": 500,
        "messages": [
          {
            "content": "Be kind.",
            "role": "system",
          },
          {
            "content": "退货？",
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
        "stop": [
          "END",
        ],
        "stream": true,
        "stream_options": {
          "include_usage": true,
        },
        "temperature": 0.7,
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
      {
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
    ]
  `);
});

test('a model that is not named is the first one that the server lists, embedding models aside', async () => {
  await using server = await startFakeProvider(streamed([finish('stop')]));
  const events = await collect((await createProvider(server.url, { model: '' })).generate(requestOf(), never));
  expect(events[0]).toEqual({ kind: 'started', model: 'qwen3' });
  expect(server.requests).toMatchObject([{ model: 'qwen3' }]);
});

describe('of a stream', () => {
  test('the first chunk of Azure, without choices, is neither usage nor text', async () => {
    const azure = { choices: [], prompt_filter_results: [{ prompt_index: 0 }], usage: null };
    const events = await eventsOf(streamed([azure, content('a'), finish('stop'), usage(10, 1, 4), doneMark]));
    expect(events.slice(1)).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
      { kind: 'usage', usage: { promptTokens: 10, completionTokens: 1, cachedPromptTokens: 4, reasoningTokens: 0 } },
    ]);
  });

  test('reasoning is read under both of its names, and kept apart from text', async () => {
    const delta = (value: object) => ({ choices: [{ index: 0, delta: value }] });
    const events = await eventsOf(
      streamed([
        delta({ reasoning_content: 'hm', content: null }),
        delta({ reasoning: 'so' }),
        content('a'),
        finish('stop'),
      ]),
    );
    expect(events.slice(1, 4)).toEqual([
      { kind: 'reasoning', text: 'hm' },
      { kind: 'reasoning', text: 'so' },
      { kind: 'text', text: 'a' },
    ]);
  });

  test('parts of tool calls keep their place', async () => {
    const call = (value: object) => ({ choices: [{ index: 0, delta: { tool_calls: [value] } }] });
    const events = await eventsOf(
      streamed([
        call({ index: 0, id: 'c1', function: { name: 'order', arguments: '' } }),
        call({ index: 0, function: { arguments: '{"id":' } }),
        call({ index: 0, function: { arguments: '7}' } }),
        finish('tool_calls'),
      ]),
    );
    expect(events.slice(1)).toEqual([
      { kind: 'tool-call', index: 0, id: 'c1', name: 'order', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"id":' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '7}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'tool_calls' },
    ]);
  });

  test('comments, line ends and characters cut in two are read by the standard', async () => {
    const reply: Reply = async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const bytes = Buffer.from(`: ping\r\n\r\ndata: ${JSON.stringify(content('退货'))}\r\n\r\n`);
      for (const byte of bytes) response.write(Uint8Array.of(byte));
      response.end(`data: ${JSON.stringify(finish('stop'))}\n\n`);
    };
    expect((await eventsOf(reply))[1]).toEqual({ kind: 'text', text: '退货' });
  });

  test.each([
    ['stop', Outcome.COMPLETE],
    ['length', Outcome.LENGTH],
    ['content_filter', Outcome.FILTERED],
    ['eos_token', Outcome.COMPLETE],
    ['abort', Outcome.TRUNCATED],
    ['insufficient_system_resource', Outcome.UPSTREAM_ERROR],
  ])('finish_reason %s is its outcome', async (reason, outcome) => {
    expect((await eventsOf(streamed([content('a'), finish(reason), doneMark]))).at(-1)).toMatchObject({
      outcome,
      reason,
    });
  });

  test.each([
    ['[DONE]', [content('a'), doneMark]],
    ['nothing', [content('a')]],
  ])('without a finish_reason there is no end, whatever else comes: %s', async (_, chunks) => {
    expect((await eventsOf(streamed(chunks))).map(({ kind }) => kind)).toEqual(['started', 'text']);
  });

  test.each([
    ['an object', { error: { message: 'boom', type: 'server_error' } }],
    ['an object with a status for a code, and [DONE] after it', { error: { message: 'boom', code: 500 } }],
    ['a string', { error: 'CUDA out of memory' }],
    ['an event', `event: error\ndata: {"message":"boom"}\n\n`],
    ['broken JSON', 'data: {"choices":\n\n'],
  ])('an error inside it is an error: %s', async (_, error) => {
    expect(await errorOf(streamed([content('a'), error, doneMark]))).toMatchObject({ code: Code.Unavailable });
  });

  test('a connection that breaks is an error', async () => {
    const reply: Reply = async (response) => {
      streamed([content('a')], true)(response, response.req);
      setImmediate(() => response.destroy());
    };
    expect(await errorOf(reply)).toMatchObject({ code: Code.Unavailable });
  });
});

test.each([
  [401, { code: 'invalid_api_key' }, Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [402, {}, Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [404, { code: 'model_not_found' }, Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [429, { code: 'insufficient_quota' }, Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [400, { code: 'Arrearage' }, Code.FailedPrecondition, 'PROVIDER_REFUSED'],
  [429, { code: 'rate_limit_exceeded' }, Code.ResourceExhausted, 'RATE_LIMITED'],
  [400, { code: 'context_length_exceeded' }, Code.InvalidArgument, 'FIELD_INVALID'],
  [400, { type: 'invalid_request_error' }, Code.InvalidArgument, 'FIELD_INVALID'],
  [500, {}, Code.Unavailable, 'DEPENDENCY_UNAVAILABLE'],
  [503, { code: 'server_is_overloaded' }, Code.Unavailable, 'DEPENDENCY_UNAVAILABLE'],
])('status %i with %j is a truthful error, without a second try', async (status, body, code, reason) => {
  await using server = await startFakeProvider(failed(status, { message: 'secret prompt', ...body }));
  const events = collect((await createProvider(server.url)).generate(requestOf(), never));
  const error = ConnectError.from(await events.then(undefined, (thrown: unknown) => thrown));
  expect(error).toMatchObject({ code });
  expect(errorInfoOf(error)?.reason).toBe(reason);
  expect(error.message).not.toContain('secret prompt');
  expect(server.requests).toHaveLength(1);
});

test('a rate limit says when to try again, as the server does', async () => {
  const error = await errorOf(failed(429, { code: 'slow_down' }, { 'retry-after': '7' }));
  expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay).toMatchObject({ seconds: 7n });
});

test('a content filter before the first word is an outcome, not an error', async () => {
  const events = await eventsOf(failed(400, { code: 'DataInspectionFailed' }));
  expect(events).toEqual([{ kind: 'end', outcome: Outcome.FILTERED, reason: 'DataInspectionFailed' }]);
});

test('a server that is not there is unavailable, with the reason of the network', async () => {
  const server = await startFakeProvider(streamed([]));
  await server[Symbol.asyncDispose]();
  const provider = await createProvider(server.url);
  await expect(collect(provider.generate(requestOf(), never))).rejects.toThrow('ECONNREFUSED');
});

test('a cancelled call breaks off the connection', async () => {
  await using server = await startFakeProvider(streamed([content('a')], true));
  const controller = new AbortController();
  const reason = new Error('gone');
  const seen: string[] = [];
  const consume = async () => {
    for await (const { kind } of (await createProvider(server.url)).generate(requestOf(), controller.signal)) {
      seen.push(kind);
      if (kind === 'text') controller.abort(reason);
    }
  };
  await expect(consume()).rejects.toBe(reason);
  await server.brokenOff;
  expect(seen).toEqual(['started', 'text']);
});
