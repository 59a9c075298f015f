import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MessageRole,
  MessageSchema,
  Outcome,
  ResponseFormatSchema,
  ToolChoiceMode,
  ToolChoiceSchema,
  ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, scriptedFetch } from '../../testing/fetch.ts';
import type { ProviderEvent, ProviderRequest } from '../llm-provider.ts';

const never = new AbortController().signal;
const chunk = (delta: object, finish: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const text = (content: string) => chunk({ content });
const stop = chunk({}, 'stop');
const done = 'data: [DONE]\n\n';
const generate = async (reply: () => Response, request: Partial<ProviderRequest> = {}, settings = {}) => {
  const { fetch, sent } = scriptedFetch(reply);
  const provider = await loadAdapter(
    'openai-compatible',
    { base_url: 'http://server/v1', model: 'm', ...settings },
    fetch,
  );
  return { events: provider.generate(requestOf(request), never), sent };
};
/** Events of one completion behind its head. */
const eventsOf = async (reply: () => Response, request: Partial<ProviderRequest> = {}): Promise<ProviderEvent[]> =>
  (await collect((await generate(reply, request)).events)).slice(1);
const errorOf = async (reply: () => Response) => providerErrorOf((await generate(reply)).events);
const bodyOf = async (request: Partial<ProviderRequest>, settings = {}) => {
  const { events, sent } = await generate(eventStream([stop]), request, settings);
  const [started] = await collect(events);
  return { body: sent[0]?.body as Record<string, unknown>, started };
};

describe('of a stream', () => {
  test('text, reasoning under both of its names, usage behind the end', async () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 3,
      total_tokens: 13,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 2 },
    };
    const reply = eventStream([
      chunk({ role: 'assistant', content: '' }),
      chunk({ content: null, reasoning_content: 'hm' }),
      chunk({ reasoning: 'so' }),
      text('Five '),
      text('days'),
      stop,
      { choices: [], usage },
      done,
    ]);
    expect(await eventsOf(reply)).toEqual([
      { kind: 'reasoning', text: 'hm' },
      { kind: 'reasoning', text: 'so' },
      { kind: 'text', text: 'Five ' },
      { kind: 'text', text: 'days' },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
      {
        kind: 'usage',
        usage: {
          promptTokens: 10,
          completionTokens: 3,
          cachedPromptTokens: 0,
          cacheWriteTokens: undefined,
          reasoningTokens: 2,
        },
      },
    ]);
  });

  test.each([
    ['nothing told', {}, [undefined, undefined, undefined, undefined]],
    ['an explicit zero', { prompt_tokens: 0, completion_tokens: 0 }, [0, 0, undefined, undefined]],
    [
      'null for details',
      { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: null },
      [5, 1, undefined, undefined],
    ],
    [
      "DeepSeek's hits of the cache",
      { prompt_tokens: 5, completion_tokens: 1, prompt_cache_hit_tokens: 4 },
      [5, 1, 4, undefined],
    ],
    [
      'reasoning beside the completion, by the total',
      { prompt_tokens: 5, completion_tokens: 1, total_tokens: 13, completion_tokens_details: { reasoning_tokens: 7 } },
      [5, 8, undefined, 7],
    ],
  ])('usage is what was counted: %s', async (_, usage, [prompt, completion, cached, reasoning]) => {
    const [, counted] = await eventsOf(eventStream([stop, { choices: [], usage }]));
    expect(counted).toMatchObject({
      usage: {
        promptTokens: prompt,
        completionTokens: completion,
        cachedPromptTokens: cached,
        reasoningTokens: reasoning,
      },
    });
  });

  test('counts of every chunk are cumulative, and the last one counts', async () => {
    const counted = (count: number) => ({ ...text('a'), usage: { prompt_tokens: 4, completion_tokens: count } });
    const usages = (await eventsOf(eventStream([counted(1), counted(2), stop]))).filter(({ kind }) => kind === 'usage');
    expect(usages.map((event) => event.kind === 'usage' && event.usage.completionTokens)).toEqual([1, 2]);
  });

  test('a second choice, fields of padding and chunks behind [DONE] are nothing', async () => {
    const other = { choices: [{ index: 1, delta: { content: 'x' }, finish_reason: 'stop' }] };
    const padded = { ...text('a'), obfuscation: 'aB3dE5' };
    expect(await eventsOf(eventStream([other, padded, stop, stop, done, text('c')]))).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
    ]);
  });

  const call = (...calls: object[]) => chunk({ tool_calls: calls });
  test.each([
    [
      'as OpenAI sends them',
      [
        call({ index: 0, id: 'c1', type: 'function', function: { name: 'order', arguments: '' } }),
        call({ index: 0, function: { arguments: '{"id":' } }),
        call({ index: 0, function: { arguments: '7}' } }),
        call({ index: 1, id: 'c2', type: 'function', function: { name: 'stock', arguments: '{}' } }),
      ],
    ],
    [
      'with id and name in every part',
      [
        call({ index: 0, id: 'c1', function: { name: 'order', arguments: '' } }),
        call({ index: 0, id: 'c1', function: { name: 'order', arguments: '{"id":' } }),
        call({ index: 0, id: 'c1', function: { name: null, arguments: '7}' } }),
        call({ index: 1, id: 'c2', function: { name: 'stock', arguments: '{}' } }),
      ],
    ],
    [
      'each one as the first, told apart by ids',
      [
        call({ index: 0, id: 'c1', function: { name: 'order', arguments: '' } }),
        call({ index: 0, id: '', function: { arguments: '{"id":' } }),
        call({ index: 0, id: '', function: { arguments: '7}' } }),
        call({ index: 0, id: 'c2', function: { name: 'stock', arguments: '{}' } }),
      ],
    ],
  ])('parts of tool calls keep their place: %s', async (_, chunks) => {
    expect(await eventsOf(eventStream([...chunks, chunk({}, 'tool_calls')]))).toEqual([
      { kind: 'tool-call', index: 0, id: 'c1', name: 'order', argumentsJson: '' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '{"id":' },
      { kind: 'tool-call', index: 0, id: '', name: '', argumentsJson: '7}' },
      { kind: 'tool-call', index: 1, id: 'c2', name: 'stock', argumentsJson: '{}' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'tool_calls' },
    ]);
  });

  test('whole calls without a place, with arguments as an object', async () => {
    const calls = [
      { id: 'c1', function: { name: 'order', arguments: { id: 7 } } },
      { id: 'c2', function: { name: 'stock' } },
    ];
    expect(await eventsOf(eventStream([chunk({ tool_calls: calls }, 'stop')]))).toEqual([
      { kind: 'tool-call', index: 0, id: 'c1', name: 'order', argumentsJson: '{"id":7}' },
      { kind: 'tool-call', index: 1, id: 'c2', name: 'stock', argumentsJson: '' },
      { kind: 'end', outcome: Outcome.TOOL_CALLS, reason: 'stop' },
    ]);
  });

  test('a refusal is text, and not a complete answer', async () => {
    expect(await eventsOf(eventStream([chunk({ refusal: 'I cannot.' }), stop]))).toEqual([
      { kind: 'text', text: 'I cannot.' },
      { kind: 'end', outcome: Outcome.FILTERED, reason: 'refusal' },
    ]);
  });

  test.each([
    ['stop', Outcome.COMPLETE],
    ['length', Outcome.LENGTH],
    ['content_filter', Outcome.FILTERED],
    ['eos_token', Outcome.COMPLETE],
    ['abort', Outcome.TRUNCATED],
    ['insufficient_system_resource', Outcome.UPSTREAM_ERROR],
    ['a word of tomorrow', Outcome.UPSTREAM_ERROR],
  ])('finish_reason %s is its outcome', async (reason, outcome) => {
    expect(await eventsOf(eventStream([chunk({}, reason), done]))).toEqual([{ kind: 'end', outcome, reason }]);
  });

  test.each([
    ['[DONE]', [text('a'), done]],
    ['nothing', [text('a')]],
    ['an event that is cut', [text('a'), 'data: {"choices":[{"index":0,"delta":{},"fini']],
  ])('without a finish_reason there is no end, whatever comes: %s', async (_, events) => {
    expect(await eventsOf(eventStream(events))).toEqual([{ kind: 'text', text: 'a' }]);
  });

  test('an end that only its blank line is missing from is an end', async () => {
    const last = `data: ${JSON.stringify(stop)}`;
    expect(await eventsOf(eventStream([last]))).toEqual([{ kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' }]);
  });

  test.each([
    ['an object', { error: { message: 'boom', type: 'server_error' } }],
    ['an object with a status for a code', { error: { message: 'boom', code: 500 } }],
    ['a string', { error: 'CUDA out of memory' }],
    ['an event', 'event: error\ndata: {"message":"boom"}\n\n'],
    ['an event of text', 'event: error\ndata: boom\n\n'],
    ['flat', { code: 'InternalError', message: 'boom', request_id: 'r' }],
    ['broken JSON', 'data: {"choices":\n\n'],
    ['no object', 'data: 7\n\n'],
  ])('an error inside it is an error, though [DONE] follows: %s', async (_, error) => {
    expect(await errorOf(eventStream([text('a'), error, done]))).toMatchObject({ remedy: 'retry', kind: 'broken' });
  });

  test('a rate limit and a content filter inside it are what they are', async () => {
    const limited = { error: { message: 'text', code: 'rate_limit_exceeded' } };
    expect(await errorOf(eventStream([text('a'), limited]))).toMatchObject({ kind: 'rate-limited' });
    const filtered = { error: { message: 'text', code: 'data_inspection_failed' } };
    expect(await eventsOf(eventStream([text('a'), filtered]))).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'end', outcome: Outcome.FILTERED, reason: 'data_inspection_failed' },
    ]);
  });

  test('a server that never closes after [DONE] is left', async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) =>
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(stop)}\n\ndata: [DONE]\n\n`)),
      cancel() {
        cancelled = true;
      },
    });
    const reply = () => new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    expect(await eventsOf(reply)).toHaveLength(1);
    expect(cancelled).toBe(true);
  });
});

test('the same bytes cut anywhere give the same events', async () => {
  const events = [
    ': ping\r\n\r\n',
    { choices: [], prompt_filter_results: [{ prompt_index: 0 }], usage: null },
    chunk({ role: 'assistant', content: '' }),
    `: ping - 2026-11-22\r\ndata: ${JSON.stringify(text('退货需要 '))}\r\n\r\n`,
    `data:${JSON.stringify(chunk({ reasoning_content: '想一想🤔' }))}\r\r`,
    'event: message\ndata: {"choices":[{"index":0,\ndata: "delta":{"content":"5–10 天"}}]}\n\n',
    chunk({ tool_calls: [{ index: 0, id: 'c1', function: { name: '订单', arguments: '{"id":' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '"№7"}' } }] }),
    chunk({}, 'tool_calls'),
    { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4 } },
    done,
  ];
  const whole = await eventsOf(eventStream(events));
  expect(whole.map(({ kind }) => kind)).toEqual([
    'text',
    'reasoning',
    'text',
    'tool-call',
    'tool-call',
    'end',
    'usage',
  ]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(2000), { maxLength: 60 }), async (cuts) => {
      expect(await eventsOf(eventStream(events, cuts))).toEqual(whole);
    }),
    { numRuns: 200 },
  );
  const everywhere = Array.from({ length: 2000 }, (_, at) => at);
  expect(await eventsOf(eventStream(events, everywhere))).toEqual(whole);
});

test('a stream that is cut after any byte never ends as complete', async () => {
  const events = eventStream([text('退货'), text('5'), stop, { choices: [], usage: { prompt_tokens: 1 } }, done]);
  const bytes = new Uint8Array(await events().arrayBuffer());
  const end = new TextDecoder().decode(bytes).indexOf('"stop"');
  for (let length = 0; length < bytes.length; length++) {
    const reply = () => new Response(bytes.slice(0, length), { headers: { 'content-type': 'text/event-stream' } });
    const kinds = (await eventsOf(reply)).map(({ kind }) => kind);
    if (length < end) expect(kinds).not.toContain('end');
  }
});

describe('of a reply in one piece', () => {
  const completion = {
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Five days' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 9, completion_tokens: 2 },
  };

  test('a server that does not stream is read all the same', async () => {
    expect((await eventsOf(jsonReply(200, completion))).map(({ kind }) => kind)).toEqual(['text', 'usage', 'end']);
  });

  test('an error with a status of success is an error', async () => {
    expect(await errorOf(jsonReply(200, { error: { code: 'insufficient_quota', message: 'text' } }))).toMatchObject({
      kind: 'quota',
      remedy: 'elsewhere',
    });
  });

  test('a web page is no completion', async () => {
    const page = () => new Response('<html>', { headers: { 'content-type': 'text/html' } });
    expect(await errorOf(page)).toMatchObject({ remedy: 'elsewhere', kind: 'broken', status: 200 });
  });
});

describe('of a request', () => {
  const tools = [create(ToolSchema, { name: 'order' })];
  const choice = (mode: ToolChoiceMode, name = '') => create(ToolChoiceSchema, { mode, name });

  test.each([
    [ToolChoiceMode.AUTO, 'auto'],
    [ToolChoiceMode.NONE, 'none'],
    [ToolChoiceMode.REQUIRED, 'required'],
    [ToolChoiceMode.NAMED, { type: 'function', function: { name: 'order' } }],
  ])('the choice of tools is kept: %s', async (mode, expected) => {
    const { body } = await bodyOf({ tools, toolChoice: choice(mode, 'order') });
    expect(body.tool_choice).toEqual(expected);
  });

  test('a choice of tools without tools is left out', async () => {
    const { body } = await bodyOf({ toolChoice: choice(ToolChoiceMode.AUTO), parallelToolCalls: true });
    expect(body).not.toHaveProperty('tool_choice');
    expect(body).not.toHaveProperty('parallel_tool_calls');
  });

  test('a JSON object and a strict schema are asked for as such', async () => {
    const format = (value: object) => create(ResponseFormatSchema, { form: value as never });
    expect((await bodyOf({ responseFormat: format({ case: 'jsonObject', value: {} }) })).body.response_format).toEqual({
      type: 'json_object',
    });
    const schema = { name: 'a', schemaJson: '{"type":"object"}', strict: true, description: 'd' };
    expect(
      (await bodyOf({ responseFormat: format({ case: 'jsonSchema', value: schema }) })).body.response_format,
    ).toEqual({
      type: 'json_schema',
      json_schema: { name: 'a', description: 'd', schema: { type: 'object' }, strict: true },
    });
  });

  test('a beginning is the last message', async () => {
    const { body } = await bodyOf({ prefix: 'A refund takes' }, { prefill: true });
    expect((body.messages as object[]).at(-1)).toEqual({ role: 'assistant', content: 'A refund takes' });
  });

  test.each([
    ['a seed that JSON cannot carry', { seed: 2n ** 60n }],
    ['parameters of a tool that are not JSON', { tools: [create(ToolSchema, { name: 'a', parametersJson: '{' })] }],
    [
      'a schema that is not JSON',
      {
        responseFormat: create(ResponseFormatSchema, {
          form: { case: 'jsonSchema', value: { name: 'a', schemaJson: '{]' } },
        }),
      },
    ],
    [
      'bytes of an image without a media type',
      {
        messages: [
          create(MessageSchema, {
            role: MessageRole.USER,
            images: [{ source: { case: 'data', value: Uint8Array.of(1) } }],
          }),
        ],
      },
    ],
  ])('what cannot be sent is refused before anything is: %s', async (_, request) => {
    const { events, sent } = await generate(eventStream([stop]), request);
    expect(await providerErrorOf(events)).toMatchObject({ remedy: 'fix-request', kind: 'invalid' });
    expect(sent).toHaveLength(0);
  });

  test('fields that the server lacks are omitted, with a warning', async () => {
    const { body, started } = await bodyOf({ reasoningEffort: 2 }, { reasoning_effort: false });
    expect(body).not.toHaveProperty('reasoning_effort');
    expect(started).toMatchObject({ warnings: ['reasoning_effort: this server has none'] });
  });
});

test('a content filter before the first word is an outcome, not an error', async () => {
  const { events } = await generate(jsonReply(400, { error: { code: 'content_filter', message: 'text' } }));
  expect(await collect(events)).toEqual([
    { kind: 'started', model: 'm', warnings: [] },
    { kind: 'end', outcome: Outcome.FILTERED, reason: 'content_filter' },
  ]);
});
