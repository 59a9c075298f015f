import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { cancellationSuite } from '../../../suites/cancellation.suite.ts';
import { llmProviderSuite } from '../../../suites/llm-provider.suite.ts';
import {
  createWith,
  eventsOf,
  expectSameWhereverCut,
  failureOf,
  replied,
  startWire,
  type WireReply,
  type WireServer,
} from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const ndjson = { 'content-type': 'application/x-ndjson' };
const lines = (...values: object[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');
const streamed = (body: string): WireReply => ({ headers: ndjson, body });
const provider = (server: WireServer, settings = {}) =>
  createWith(adapter, { base_url: server.url, model: 'llama3.2', ...settings });
const run = async (values: object[], request = {}) => {
  await using server = await startWire(streamed(lines(...values)));
  return await eventsOf(provider(server), request);
};
const fail = async (reply: WireReply) => {
  await using server = await startWire(reply);
  const failure = await failureOf(provider(server));
  expect(server.requests).toHaveLength(1);
  return failure;
};

// Documented: github.com/ollama/ollama, docs/api.md, "Chat Request (Streaming)"; done_reason and omitted zeros as in api/types.go.
const part = (message: object) => ({
  model: 'llama3.2',
  created_at: '2023-08-04T08:52:19.385406455-07:00',
  message: { role: 'assistant', ...message },
  done: false,
});
const done = (more: object = {}) => ({
  model: 'llama3.2',
  created_at: '2023-08-04T19:22:45.499127Z',
  message: { role: 'assistant', content: '' },
  done: true,
  done_reason: 'stop',
  total_duration: 4883583458,
  load_duration: 1334875,
  prompt_eval_count: 26,
  prompt_eval_duration: 342546000,
  eval_count: 282,
  eval_duration: 4535599000,
  ...more,
});
const hello = [part({ content: 'The', images: null }), part({ content: ' 天空' }), done()];
// Documented: docs/api.md, "Chat request (with tools)"; thinking: docs/capabilities/thinking.mdx.
const toolUse = [
  part({ content: '', thinking: 'Weather, ' }),
  part({ content: '', thinking: 'twice.' }),
  part({
    content: '',
    tool_calls: [
      { function: { name: 'get_current_weather', arguments: { format: 'celsius', location: 'Paris, FR' } } },
      { id: 'call_9', function: { index: 1, name: 'now', arguments: {} } },
    ],
  }),
  done(),
];

describe('with a server that works', () => {
  let server: WireServer;
  beforeAll(async () => {
    server = await startWire(streamed(lines(...hello)));
  });
  afterAll(() => server[Symbol.asyncDispose]());
  llmProviderSuite('ollama', async () => provider(server));
});

describe('of a stream', () => {
  test('text, counts and the end come as they are', async () => {
    expect(await run(hello)).toEqual([
      { kind: 'started', model: 'llama3.2', warnings: [] },
      { kind: 'text', text: 'The' },
      { kind: 'text', text: ' 天空' },
      { kind: 'usage', usage: usage(26, 282) },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
    ]);
  });

  test('calls are complete and get missing ids; thoughts are separate', async () => {
    const events = await run(toolUse);
    expect(events.filter(({ kind }) => kind !== 'usage').slice(1)).toEqual([
      { kind: 'reasoning', text: 'Weather, ' },
      { kind: 'reasoning', text: 'twice.' },
      {
        kind: 'tool-call',
        index: 0,
        id: '',
        name: 'get_current_weather',
        argumentsJson: '{"format":"celsius","location":"Paris, FR"}',
      },
      { kind: 'tool-call', index: 1, id: 'call_9', name: 'now', argumentsJson: '{}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'stop' },
    ]);
  });

  test.each([
    ['a prompt that was not counted is not free', { prompt_eval_count: undefined }, usage(undefined, 282)],
    ['nor is one that was counted as nothing', { prompt_eval_count: 0 }, usage(undefined, 282)],
    ['a completion that was not counted is not free', { eval_count: undefined }, usage(26, undefined)],
  ])('%s', async (_, counts, wanted) => {
    const events = await run([part({ content: 'a' }), done(counts)]);
    expect(events).toContainEqual({ kind: 'usage', usage: wanted });
  });

  test('a completion without a word has no tokens', async () => {
    expect(await run([done({ eval_count: undefined })])).toContainEqual({ kind: 'usage', usage: usage(26, 0) });
  });

  test.each([
    ['stop', Outcome.COMPLETE],
    ['length', Outcome.LENGTH],
    ['load', Outcome.UPSTREAM_ERROR],
    ['unload', Outcome.UPSTREAM_ERROR],
    ['something new', Outcome.UPSTREAM_ERROR],
    [undefined, Outcome.COMPLETE],
  ])('done_reason %s is its outcome', async (reason, outcome) => {
    expect((await run([part({ content: 'a' }), done({ done_reason: reason })])).at(-1)).toMatchObject({ outcome });
  });

  test('an old server without a reason has reached its limit if the counts say so', async () => {
    const events = await run([part({ content: 'a' }), done({ done_reason: undefined, eval_count: 5 })], {
      maxTokens: 5,
    });
    expect(events.at(-1)).toMatchObject({ outcome: Outcome.LENGTH, reason: 'length' });
  });

  test.each([
    ['behind a whole line', lines(...hello.slice(0, 2))],
    ['inside of a line', lines(...hello).slice(0, -40)],
  ])('one that ends without "done" has no end: %s', async (_, body) => {
    await using server = await startWire(streamed(body));
    const events = await eventsOf(provider(server));
    expect(events.map(({ kind }) => kind)).toEqual(['started', 'text', 'text']);
  });

  // Documented: docs/api/errors.mdx, "Errors that occur while streaming".
  test('an error in the middle is an error', async () => {
    const error = { error: 'an error was encountered while running the model: secret prompt' };
    const failure = await fail(streamed(lines(...hello.slice(0, 1), error)));
    expect(failure.error).toMatchObject({ remedy: 'retry', kind: 'broken' });
    expect(failure.error.message).not.toContain('secret prompt');
    expect(failure.events.map(({ kind }) => kind)).toEqual(['started', 'text']);
  });

  test('an error instead of the first line starts nothing', async () => {
    expect((await fail(streamed(lines({ error: 'boom' })))).events).toEqual([]);
  });

  test.each([
    ['a line that is no JSON', { ...streamed(`${lines(hello[0] as object)}{"model":tr\n`) }],
    ['a line without an end', { ...streamed(`${lines(hello[0] as object)}{"x":"${'y'.repeat(5 * 1024 * 1024)}`) }],
    ['a connection that breaks', { ...streamed(lines(hello[0] as object)), breaks: true }],
  ])('%s is an error that another try may help', async (_, reply) => {
    const { error, events } = await fail(reply);
    expect(error).toMatchObject({ remedy: 'retry', kind: 'broken' });
    expect(events.map(({ kind }) => kind)).toEqual(['started', 'text']);
  });

  test('the same bytes give the same events wherever they are cut', async () => {
    const create = (fetch: typeof globalThis.fetch) => createWith(adapter, { model: 'llama3.2' }, fetch);
    await expectSameWhereverCut(create, lines(...hello), ndjson);
    const withIds = lines(...toolUse).replace('"function":{"name":"get', '"id":"c","function":{"name":"get');
    await expectSameWhereverCut(create, withIds.replaceAll('\n', '\r\n'), ndjson, 20);
  });
});

// Documented: docs/api/errors.mdx; texts as server/routes.go and llm/server.go write them.
test.each([
  [400, 'json: cannot unmarshal', 'fix-request', 'invalid'],
  [400, 'prompt too long; exceeded max context length by 512 tokens', 'fix-request', 'too-long'],
  [400, 'the input length exceeds the context length', 'fix-request', 'too-long'],
  [400, 'registry.ollama.ai/library/gemma:latest does not support tools', 'elsewhere', 'invalid'],
  [400, '"gemma" does not support thinking', 'elsewhere', 'invalid'],
  [401, 'unauthorized', 'elsewhere', 'auth'],
  [403, 'cloud models are disabled', 'elsewhere', 'auth'],
  [404, "model 'llama9' not found", 'elsewhere', 'model-unknown'],
  [429, 'too many requests', 'retry', 'rate-limited'],
  [499, 'request canceled', 'retry', 'broken'],
  [500, 'llama runner process has terminated', 'retry', 'broken'],
  [502, 'bad gateway', 'retry', 'broken'],
  [503, 'server busy, please try again. maximum pending requests exceeded', 'retry', 'overloaded'],
])('%i "%s" is told, once', async (status, text, remedy, kind) => {
  const { error } = await fail(replied(status, { error: text }));
  expect(error).toMatchObject({ remedy, kind, status });
  expect(error.message).not.toContain(text);
});

test('no server is an error of the connection', async () => {
  const server = await startWire(undefined);
  await server[Symbol.asyncDispose]();
  expect((await failureOf(provider(server))).error).toMatchObject({ remedy: 'retry', code: 'ECONNREFUSED' });
});

test('a model that is not named is the first one that the server has, embedding models aside', async () => {
  const tags = replied(200, { models: [{ name: 'nomic-embed-text:latest' }, { name: 'qwen3:8b' }] });
  await using server = await startWire(tags, streamed(lines(...hello)));
  const unnamed = provider(server, { model: '', base_url: `${server.url}/v1/` });
  await eventsOf(unnamed);
  await eventsOf(unnamed);
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /api/tags',
    'POST /api/chat',
    'POST /api/chat',
  ]);
  expect(server.requests[1]?.body).toMatchObject({ model: 'qwen3:8b' });
});

test('a server without models has none to give', async () => {
  await using server = await startWire(replied(200, { models: [] }));
  const { error } = await failureOf(provider(server, { model: '' }));
  expect(error).toMatchObject({ remedy: 'elsewhere', kind: 'model-unknown' });
});

cancellationSuite(
  'ollama',
  (url) => createWith(adapter, { base_url: url, model: 'llama3.2' }),
  streamed(lines(...hello.slice(0, 1))),
);

test.each([
  ['base_url', 'ollama:11434'],
  ['keep_alive', 'for ever'],
])('a bad setting stops the start: %s', (name, value) => {
  expect(() => createWith(adapter, { [name]: value })).toThrow(`llm_gateway.models[0].settings.${name}`);
});

test('its room for tokens is what the settings ask the server for', () => {
  expect(createWith(adapter, { num_ctx: 8192 }).capabilities).toMatchObject({ contextTokens: 8192, prefill: false });
});

function usage(promptTokens: number | undefined, completionTokens: number | undefined) {
  return {
    promptTokens,
    completionTokens,
    cachedPromptTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}
