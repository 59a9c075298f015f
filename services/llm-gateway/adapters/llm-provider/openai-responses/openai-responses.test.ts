import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { cancellationSuite } from '../../../suites/cancellation.suite.ts';
import { llmProviderSuite } from '../../../suites/llm-provider.suite.ts';
import {
  completed,
  created,
  eventStream,
  failed,
  hello,
  incomplete,
  named,
  refusalDelta,
  streamed,
  textDelta,
  toolUse,
} from '../../../testing/responses.ts';
import {
  createWith,
  eventsOf,
  expectSameWhereverCut,
  failureOf,
  replied,
  sse,
  startWire,
  type WireReply,
  type WireServer,
} from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const provider = (server: WireServer, settings = {}) =>
  createWith(adapter, { base_url: `${server.url}/v1`, api_key: 'sk-test', model: 'gpt-5.4-mini', ...settings });
const run = async (...events: { type: string }[]) => {
  await using server = await startWire(streamed(named(...events)));
  return await eventsOf(provider(server));
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
  llmProviderSuite('openai-responses', async () => provider(server));
});

describe('of a stream', () => {
  test('text, counts and the end come as they are; padding is passed over', async () => {
    expect(await run(...hello)).toEqual([
      { kind: 'started', model: 'gpt-5.4-mini-2026-03-17', warnings: [] },
      { kind: 'text', text: 'Hi' },
      { kind: 'text', text: '，退货！' },
      {
        kind: 'usage',
        usage: {
          promptTokens: 37,
          completionTokens: 11,
          cachedPromptTokens: 0,
          cacheWriteTokens: undefined,
          reasoningTokens: 0,
        },
      },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'completed' },
    ]);
  });

  test('calls keep their place though their parts come mixed; paragraphs of reasoning are kept apart', async () => {
    const events = await run(...toolUse);
    expect(events.slice(1)).toEqual([
      { kind: 'reasoning', text: '**Weather**' },
      { kind: 'reasoning', text: '\n\n' },
      { kind: 'reasoning', text: 'Two places.' },
      { kind: 'tool-call', index: 0, id: 'call_1234xyz', name: 'get_weather', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"location":' },
      { kind: 'tool-call', index: 1, id: 'call_2', name: 'get_weather', argumentsJson: '' },
      { kind: 'tool-call', index: 1, id: '', name: '', argumentsJson: '{"location":"Rome"}' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '"Paris"}' },
      { kind: 'tool-call', index: 2, id: 'call_3', name: 'now', argumentsJson: '' },
      { kind: 'tool-call', index: 2, id: '', name: '', argumentsJson: '{}' },
      { kind: 'usage', usage: expect.objectContaining({ cachedPromptTokens: 20, reasoningTokens: 6 }) },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'completed' },
    ]);
  });

  test('a refusal is shown, and its outcome is no success', async () => {
    const events = await run(created, refusalDelta("I'm sorry"), completed());
    expect(events).toContainEqual({ kind: 'text', text: "I'm sorry" });
    expect(events.at(-1)).toEqual({ kind: 'end', outcome: Outcome.FILTERED, reason: 'refusal' });
  });

  test.each([
    ['max_output_tokens', Outcome.LENGTH],
    ['max_tokens', Outcome.LENGTH],
    ['content_filter', Outcome.FILTERED],
    ['steered', Outcome.TRUNCATED],
    [undefined, Outcome.TRUNCATED],
  ])('one that is incomplete for %s has its outcome', async (reason, outcome) => {
    const events = await run(created, textDelta('a'), incomplete(reason));
    expect(events.at(-1)).toMatchObject({ kind: 'end', outcome });
    expect(events.at(-2)).toMatchObject({ kind: 'usage', usage: { promptTokens: 37 } });
  });

  test.each([
    ['server_error', 'retry', 'broken'],
    ['rate_limit_exceeded', 'retry', 'rate-limited'],
    ['something_new', 'retry', 'broken'],
  ])('one that failed with %s is an error, and what it used is told', async (code, remedy, kind) => {
    const { error, events } = await fail(streamed(named(created, textDelta('a'), failed(code))));
    expect(error).toMatchObject({ remedy, kind, code });
    expect(error.message).not.toContain('secret prompt');
    expect(events.at(-1)).toMatchObject({ kind: 'usage', usage: { promptTokens: 37, completionTokens: 11 } });
  });

  test('one that failed for policy was filtered', async () => {
    expect((await run(created, failed('bio_policy'))).at(-1)).toMatchObject({ outcome: Outcome.FILTERED });
  });

  // Documented: api/reference/resources/responses/streaming-events, "error".
  test.each([
    ['an event', sse(['error', { type: 'error', code: 'rate_limit_exceeded', message: 'secret prompt', param: null }])],
    [
      'an event without its name',
      `data: ${JSON.stringify({ type: 'error', code: 'rate_limit_exceeded', message: 'x' })}\n\n`,
    ],
    [
      'an object',
      sse(['error', { error: { type: 'requests', code: 'rate_limit_exceeded', message: 'secret prompt' } }]),
    ],
  ])('an error inside it is an error: %s', async (_, error) => {
    const failure = await fail(streamed(named(created, textDelta('a')) + error));
    expect(failure.error).toMatchObject({ remedy: 'retry', kind: 'rate-limited', code: 'rate_limit_exceeded' });
    expect(failure.error.message).not.toContain('secret prompt');
    expect(failure.events.map(({ kind }) => kind)).toEqual(['started', 'text']);
  });

  test('broken JSON and a connection that breaks are errors that another try may help', async () => {
    const beginning = named(created, textDelta('a'));
    const broken = await fail(streamed(`${beginning}event: x\ndata: {"type":\n\n`));
    expect(broken.error).toMatchObject({ remedy: 'retry', kind: 'broken' });
    const cut = await fail({ ...streamed(beginning), breaks: true });
    expect(cut.error).toMatchObject({ remedy: 'retry', kind: 'broken' });
  });

  test.each([
    ['nothing', ''],
    ['[DONE]', 'data: [DONE]\n\n'],
    ['the end of its text', named({ type: 'response.output_text.done' })],
  ])('without its terminal event there is no end, whatever else comes: %s', async (_, rest) => {
    await using server = await startWire(streamed(named(created, textDelta('a')) + rest));
    expect((await eventsOf(provider(server))).map(({ kind }) => kind)).toEqual(['started', 'text']);
  });

  // llama.cpp's server (b6000 and later) gives items no place in the output, and calls what its limit has cut completed.
  test('calls without a place keep apart by their ids', async () => {
    const added = (id: string) => ({
      type: 'response.output_item.added',
      item: { id, type: 'function_call', call_id: `call_${id}`, name: 'f', arguments: '' },
    });
    const delta = (id: string, text: string) => ({
      type: 'response.function_call_arguments.delta',
      item_id: id,
      delta: text,
    });
    const events = await run(created, added('a'), delta('a', '{}'), added('b'), delta('b', '[]'), completed());
    expect(events.filter(({ kind }) => kind === 'tool-call')).toMatchObject([
      { index: 0, id: 'call_a' },
      { index: 0, argumentsJson: '{}' },
      { index: 1, id: 'call_b' },
      { index: 1, argumentsJson: '[]' },
    ]);
  });

  test('one that is as long as it may be is not complete, whatever it says', async () => {
    const cut = completed({ input_tokens: 26, output_tokens: 16 });
    await using server = await startWire(streamed(named(created, textDelta('a'), cut)));
    expect((await eventsOf(provider(server), { maxTokens: 16 })).at(-1)).toMatchObject({ outcome: Outcome.LENGTH });
    expect((await eventsOf(provider(server), { maxTokens: 17 })).at(-1)).toMatchObject({ outcome: Outcome.COMPLETE });
  });

  // Documented: api/reference/resources/responses/methods/create.
  test('one that a server gives in one piece is read, though a stream was asked for', async () => {
    const whole = {
      model: 'gpt-5.4-mini-2026-03-17',
      status: 'completed',
      output: [
        { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }] },
        { type: 'message', id: 'msg_1', content: [{ type: 'output_text', text: '五天' }] },
        { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'order', arguments: '{"id":7}' },
      ],
      usage: { input_tokens: 5, output_tokens: 6 },
    };
    await using server = await startWire(replied(200, whole), replied(200, { ...whole, status: 'in_progress' }));
    expect((await eventsOf(provider(server))).filter(({ kind }) => kind !== 'usage')).toEqual([
      { kind: 'started', model: 'gpt-5.4-mini-2026-03-17', warnings: [] },
      { kind: 'reasoning', text: 'Hm.' },
      { kind: 'text', text: '五天' },
      { kind: 'tool-call', index: 0, id: 'call_1', name: 'order', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"id":7}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'completed' },
    ]);
    expect((await eventsOf(provider(server))).some(({ kind }) => kind === 'end')).toBe(false);
  });

  test('the same bytes give the same events wherever they are cut', async () => {
    const create = (fetch: typeof globalThis.fetch) =>
      createWith(adapter, { api_key: 'k', model: 'gpt-5.4-mini' }, fetch);
    await expectSameWhereverCut(create, named(...hello), eventStream);
    await expectSameWhereverCut(create, named(...toolUse).replaceAll('\n', '\r\n'), eventStream, 20);
  });
});

// Documented: developers.openai.com/api/docs/guides/error-codes.
describe('of an error', () => {
  const body = (code: string | null, type = 'invalid_request_error') => ({
    error: { message: 'secret prompt', type, param: null, code },
  });
  test.each([
    [400, body(null), 'fix-request', 'invalid'],
    [400, body('context_length_exceeded'), 'fix-request', 'too-long'],
    [401, body('invalid_api_key'), 'elsewhere', 'auth'],
    [403, body('unsupported_country_region_territory', 'request_forbidden'), 'elsewhere', 'auth'],
    [404, body('model_not_found'), 'elsewhere', 'model-unknown'],
    [429, body('rate_limit_exceeded', 'requests'), 'retry', 'rate-limited'],
    [429, body('slow_down'), 'retry', 'rate-limited'],
    [429, body('insufficient_quota', 'insufficient_quota'), 'elsewhere', 'quota'],
    [429, body('credit_balance_exhausted'), 'elsewhere', 'quota'],
    [500, body(null, 'server_error'), 'retry', 'broken'],
    [503, body('server_is_overloaded'), 'retry', 'overloaded'],
    [502, '<html>', 'retry', 'broken'],
  ])('%i %j is told by its code, once, without its text', async (status, reply, remedy, kind) => {
    const { error } = await fail(replied(status, reply));
    expect(error).toMatchObject({ remedy, kind, status });
    expect(error.message).not.toContain('secret prompt');
  });

  test('the wait is as long as the server says', async () => {
    const { error } = await fail(
      replied(429, body('rate_limit_exceeded'), { 'retry-after-ms': '340', 'retry-after': '9' }),
    );
    expect(error.retryAfterMs).toBe(340);
  });

  test('a content filter before the first word is an outcome', async () => {
    await using server = await startWire(replied(400, body('content_filter')));
    expect(await eventsOf(provider(server))).toEqual([
      { kind: 'end', outcome: Outcome.FILTERED, reason: 'content_filter' },
    ]);
  });

  test('no server is an error of the connection', async () => {
    const server = await startWire(undefined);
    await server[Symbol.asyncDispose]();
    expect((await failureOf(provider(server))).error).toMatchObject({ remedy: 'retry', code: 'ECONNREFUSED' });
  });
});

cancellationSuite(
  'openai-responses',
  (url) => createWith(adapter, { base_url: `${url}/v1`, api_key: 'k', model: 'gpt-5.4-mini' }),
  streamed(named(created, textDelta('a'))),
);

test.each([
  ['base_url', 'openai.com'],
  ['reasoning_summary', 'long'],
])('a bad setting stops the start: %s', (name, value) => {
  expect(() => createWith(adapter, { api_key: 'k', model: 'm', [name]: value })).toThrow(
    `llm_gateway.models[0].settings.${name}`,
  );
});
