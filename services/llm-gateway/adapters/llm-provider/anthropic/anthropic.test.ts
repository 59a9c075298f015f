import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outcome, ResponseFormatSchema } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { ProviderRequest } from '../../../providers/llm-provider.ts';
import { cancellationSuite } from '../../../suites/cancellation.suite.ts';
import { llmProviderSuite } from '../../../suites/llm-provider.suite.ts';
import {
  eventStream,
  hello,
  named,
  over,
  start,
  stopped,
  streamed,
  textDelta,
  textStart,
  toolUse,
} from '../../../testing/anthropic.ts';
import {
  createWith,
  eventsOf,
  expectSameWhereverCut,
  failureOf,
  replied,
  requestLines,
  startWire,
  type WireReply,
  type WireServer,
} from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const provider = (server: WireServer, settings = {}) =>
  createWith(adapter, { base_url: server.url, api_key: 'sk-ant-test', model: 'claude-haiku-5-5', ...settings });
const run = async (reply: WireReply, settings = {}, request: Partial<ProviderRequest> = {}) => {
  await using server = await startWire(reply);
  return await eventsOf(provider(server, settings), request);
};
const fail = async (reply: WireReply) => {
  await using server = await startWire(reply);
  const failure = await failureOf(provider(server));
  expect(server.requests).toHaveLength(1);
  return failure;
};
describe('with a server that works', () => {
  let server: WireServer;
  beforeAll(async () => {
    server = await startWire(streamed(named(...hello)));
  });
  afterAll(() => server[Symbol.asyncDispose]());
  llmProviderSuite('anthropic', async () => provider(server));
});

describe('the beginning of an answer', () => {
  test('is the last turn, without white space at its end, which then is not given twice', async () => {
    const go = [
      start({ input_tokens: 5, output_tokens: 1 }),
      textStart(),
      textDelta('\n'),
      textDelta('\nworld'),
      stopped('end_turn'),
      over,
    ];
    await using server = await startWire(streamed(named(...go)));
    const events = await eventsOf(provider(server, { prefill: true, model: 'claude-haiku-4-5' }), {
      prefix: 'Hello\n\n',
    });
    expect(requestLines(server.requests[0])).toContain(
      '{"role":"assistant","content":[{"type":"text","text":"Hello"}]}',
    );
    expect(events.filter(({ kind }) => kind === 'text')).toEqual([{ kind: 'text', text: 'world' }]);
  });

  test('loses no white space of the answer that is not its own', async () => {
    const go = [
      start({ input_tokens: 5, output_tokens: 1 }),
      textStart(),
      textDelta('\n  x'),
      stopped('end_turn'),
      over,
    ];
    const events = await run(streamed(named(...go)), { prefill: true }, { prefix: 'Hello ' });
    expect(events).toContainEqual({ kind: 'text', text: '\n  x' });
  });

  test('is declared if the settings say so', async () => {
    await using server = await startWire(undefined);
    expect(provider(server).capabilities.prefill).toBe(false);
    expect(provider(server, { prefill: true }).capabilities.prefill).toBe(true);
  });

  test('of an answer with a schema is for another provider', async () => {
    await using server = await startWire(undefined);
    const responseFormat = create(ResponseFormatSchema, {
      form: { case: 'jsonSchema', value: { name: 'x', schemaJson: '{}' } },
    });
    const { error } = await failureOf(provider(server), { prefix: '{', responseFormat });
    expect(error).toMatchObject({ remedy: 'elsewhere' });
  });
});

describe('of a stream', () => {
  test('text and counts are unchanged, and the last counts are used', async () => {
    expect(await run(streamed(named(...hello)))).toEqual([
      { kind: 'started', model: 'claude-haiku-5-5', warnings: [] },
      { kind: 'usage', usage: usage(25, 1) },
      { kind: 'text', text: 'Hello' },
      { kind: 'text', text: '，退货！' },
      { kind: 'usage', usage: usage(25, 15) },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'end_turn' },
    ]);
  });

  test('calls keep their place and are whole JSON; thoughts are kept apart; signatures and citations are not shown', async () => {
    const events = await run(streamed(named(...toolUse)));
    expect(events.filter(({ kind }) => kind !== 'usage').slice(1)).toEqual([
      { kind: 'reasoning', text: 'I need the weather.' },
      { kind: 'text', text: 'Okay' },
      { kind: 'tool-call', index: 0, id: 'toolu_01T1x1fJ34qAmk2tNTrN7Up6', name: 'get_weather', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"location":' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: ' "San Francisco, CA"}' },
      { kind: 'tool-call', index: 1, id: 'toolu_02', name: 'now', argumentsJson: '' },
      { kind: 'tool-call', index: 1, id: '', name: '', argumentsJson: '{}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'tool_use' },
    ]);
    expect(events.findLast(({ kind }) => kind === 'usage')).toMatchObject({ usage: { reasoningTokens: 40 } });
  });

  test('tokens of the cache are part of the prompt, though outside of its input', async () => {
    const counts = {
      input_tokens: 10,
      cache_read_input_tokens: 2000,
      cache_creation_input_tokens: 300,
      output_tokens: 1,
    };
    const events = await run(streamed(named(start(counts), textStart(), textDelta('a'), stopped('end_turn'), over)));
    expect(events.findLast(({ kind }) => kind === 'usage')).toEqual({
      kind: 'usage',
      usage: { ...usage(2310, 15), cachedPromptTokens: 2000, cacheWriteTokens: 300 },
    });
  });

  // jeremychone/rust-genai issue 258: compatible servers that count the cache at the end alone, or the input as zero there.
  test('counts that come late count, and a zero at the end undoes none', async () => {
    const late = { input_tokens: 0, cache_read_input_tokens: 90, output_tokens: 4 };
    const events = await run(
      streamed(named(start({ input_tokens: 10, output_tokens: 0 }), stopped('end_turn', late), over)),
    );
    expect(events.findLast(({ kind }) => kind === 'usage')).toMatchObject({
      usage: { promptTokens: 100, cachedPromptTokens: 90, completionTokens: 4 },
    });
  });

  test.each([
    ['end_turn', Outcome.COMPLETE],
    ['stop_sequence', Outcome.COMPLETE],
    ['max_tokens', Outcome.LENGTH],
    ['model_context_window_exceeded', Outcome.LENGTH],
    ['tool_use', Outcome.TOOL_CALLS],
    ['refusal', Outcome.FILTERED],
    ['pause_turn', Outcome.TRUNCATED],
    ['something_new', Outcome.TRUNCATED],
    [null, Outcome.TRUNCATED],
  ])('stop_reason %s is its outcome', async (reason, outcome) => {
    const events = await run(streamed(named(start({ input_tokens: 1, output_tokens: 1 }), stopped(reason), over)));
    expect(events.at(-1)).toEqual({ kind: 'end', outcome, reason: reason ?? '' });
  });

  // SDK 1.12, RefusalStopDetails.
  test('a refusal names its category', async () => {
    const refused = stopped('refusal', { output_tokens: 1 }, { type: 'refusal', category: 'cyber', explanation: null });
    const events = await run(streamed(named(start({ input_tokens: 1, output_tokens: 1 }), refused, over)));
    expect(events.at(-1)).toMatchObject({ outcome: Outcome.FILTERED, reason: 'refusal: cyber' });
  });

  test.each([
    ['before the reason', hello.slice(0, -2)],
    ['before message_stop', hello.slice(0, -1)],
  ])('one that ends without its terminal event has no end: %s', async (_, events) => {
    expect((await run(streamed(named(...events)))).some(({ kind }) => kind === 'end')).toBe(false);
  });

  // Documented: platform.claude.com/docs/en/build-with-claude/streaming, "Error events".
  test('an error in the middle is an error, by its type', async () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    const failure = await fail(streamed(named(...hello.slice(0, 4), error)));
    expect(failure.error).toMatchObject({ remedy: 'retry', kind: 'overloaded', code: 'overloaded_error' });
    expect(failure.events.map(({ kind }) => kind)).toEqual(['started', 'usage', 'text']);
  });

  test('broken JSON and a connection that breaks are errors that another try may help', async () => {
    const broken = await fail(streamed(`${named(...hello.slice(0, 4))}event: content_block_delta\ndata: {"type":\n\n`));
    expect(broken.error).toMatchObject({ remedy: 'retry', kind: 'broken' });
    const cut = await fail({ ...streamed(named(...hello.slice(0, 4))), breaks: true });
    expect(cut.error).toMatchObject({ remedy: 'retry', kind: 'broken' });
    expect(cut.events.map(({ kind }) => kind)).toContain('text');
  });

  // As LiteLLM 1.106 answers with mock_response; shapes documented in platform.claude.com/docs/en/api/messages.
  test('one that a server gives in one piece is read, though a stream was asked for', async () => {
    const whole = {
      type: 'message',
      model: 'claude-haiku-5-5',
      content: [
        { type: 'thinking', thinking: 'Hm.', signature: 'x' },
        { type: 'text', text: '五天' },
        { type: 'tool_use', id: 'toolu_1', name: 'order', input: { id: 7 } },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 2095, output_tokens: 503 },
    };
    await using server = await startWire(replied(200, whole));
    expect(await eventsOf(provider(server))).toEqual([
      { kind: 'started', model: 'claude-haiku-5-5', warnings: [] },
      { kind: 'usage', usage: usage(2095, 503) },
      { kind: 'reasoning', text: 'Hm.' },
      { kind: 'text', text: '五天' },
      { kind: 'tool-call', index: 0, id: 'toolu_1', name: 'order', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"id":7}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'tool_use' },
    ]);
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'x' } };
    expect((await fail(replied(200, error))).error).toMatchObject({ kind: 'overloaded' });
  });

  test('the same bytes give the same events wherever they are cut', async () => {
    const create = (fetch: typeof globalThis.fetch) =>
      createWith(adapter, { api_key: 'k', model: 'claude-haiku-5-5' }, fetch);
    await expectSameWhereverCut(create, named(...hello), eventStream);
    await expectSameWhereverCut(create, named(...toolUse).replaceAll('\n', '\r\n'), eventStream, 20);
  });
});

// Documented: platform.claude.com/docs/en/api/errors; the codes in details: @anthropic-ai/sdk 1.12, resources/shared, and
// learn.microsoft.com/microsoft-cloud/dev/dev-proxy/concepts/anthropic-529-overloaded-error.
describe('of an error', () => {
  const body = (type: string, details?: object, text = 'secret prompt') => ({
    type: 'error',
    error: { type, message: text, ...(details ? { details } : {}) },
    request_id: 'req_011CSHoEeqs5C35K2UUqR7Fy',
  });
  test.each([
    [400, body('invalid_request_error'), 'fix-request', 'invalid'],
    [
      400,
      body('invalid_request_error', undefined, 'prompt is too long: 200500 tokens > 200000 maximum'),
      'fix-request',
      'too-long',
    ],
    [
      400,
      body('invalid_request_error', undefined, 'Your credit balance is too low to access the Anthropic API.'),
      'elsewhere',
      'quota',
    ],
    [
      400,
      body('invalid_request_error', undefined, 'You have reached your specified API usage limits.'),
      'elsewhere',
      'quota',
    ],
    [401, body('authentication_error'), 'elsewhere', 'auth'],
    [402, body('billing_error'), 'elsewhere', 'quota'],
    [403, body('permission_error'), 'elsewhere', 'auth'],
    [404, body('not_found_error'), 'elsewhere', 'model-unknown'],
    [409, body('conflict_error'), 'retry', 'broken'],
    [413, body('request_too_large'), 'fix-request', 'too-long'],
    [413, '<html>cloudflare</html>', 'fix-request', 'too-long'],
    [429, body('rate_limit_error'), 'retry', 'rate-limited'],
    [429, body('rate_limit_error', { error_code: 'enforced_spend_limit_reached' }), 'elsewhere', 'quota'],
    [429, body('rate_limit_error', { error_code: 'contract_spend_limit_reached' }), 'elsewhere', 'quota'],
    [
      400,
      body('invalid_request_error', { error_code: 'linked_organization_billing_unavailable' }),
      'elsewhere',
      'quota',
    ],
    [429, body('rate_limit_error', { error_code: 'ramp_limit_exceeded' }), 'retry', 'rate-limited'],
    [500, body('api_error'), 'retry', 'broken'],
    [504, body('timeout_error'), 'retry', 'timeout'],
    [529, body('overloaded_error'), 'retry', 'overloaded'],
    [502, 'Bad Gateway', 'retry', 'broken'],
  ])('%i %j is told by its code, once, without its text', async (status, reply, remedy, kind) => {
    const { error } = await fail(replied(status, reply));
    expect(error).toMatchObject({ remedy, kind, status });
    expect(error.message).not.toContain('secret prompt');
  });

  test('the wait is as long as the server says', async () => {
    const { error } = await fail(replied(429, body('rate_limit_error'), { 'retry-after': '7' }));
    expect(error.retryAfterMs).toBe(7000);
  });

  test('no server is an error of the connection', async () => {
    const server = await startWire(undefined);
    await server[Symbol.asyncDispose]();
    expect((await failureOf(provider(server))).error).toMatchObject({
      remedy: 'retry',
      kind: 'broken',
      code: 'ECONNREFUSED',
    });
  });
});

cancellationSuite(
  'anthropic',
  (url) => createWith(adapter, { base_url: url, model: 'claude-haiku-5-5' }),
  streamed(named(...hello.slice(0, 5))),
);

test.each([
  ['base_url', 'anthropic.com'],
  ['thinking', 'much'],
  ['prompt_cache', '2h'],
  ['key_header', 'cookie'],
  ['effort', 'max'],
])('a bad setting stops the start: %s', (name, value) => {
  expect(() => createWith(adapter, { api_key: 'k', model: 'm', [name]: value })).toThrow(
    `llm_gateway.models[0].settings.${name}`,
  );
});

function usage(promptTokens: number, completionTokens: number) {
  return {
    promptTokens,
    completionTokens,
    cachedPromptTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}
