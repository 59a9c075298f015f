import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MessageRole, ReasoningEffort, ToolChoiceMode } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createScriptedGateway } from '../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: Anthropic;
const { impl, asked, openCount } = createScriptedGateway();
beforeAll(async () => {
  edge = await startEdgeMesh({ llm: impl });
  client = new Anthropic({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: edge.url, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

type Params = Anthropic.MessageCreateParamsNonStreaming;
const user = (content: string) => [{ role: 'user' as const, content }];
const bodyOf = (content: string, extra: Partial<Params> = {}): Params => ({
  model: 'gpt-5',
  max_tokens: 100,
  messages: user(content),
  ...extra,
});
const ask = (content: string, extra: Partial<Params> = {}) => client.messages.create(bodyOf(content, extra));
const streamed = (content: string, extra: Partial<Params> = {}) =>
  client.messages.stream(bodyOf(content, extra)).finalMessage();
const eventsOf = async (content: string, extra: Partial<Params> = {}) => {
  const events: Anthropic.RawMessageStreamEvent[] = [];
  for await (const event of await client.messages.create({ ...bodyOf(content, extra), stream: true })) {
    events.push(event);
  }
  return events;
};
const failure = async (work: Promise<unknown>): Promise<APIError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
};
const tool = {
  name: 'weather',
  description: 'The weather in a city',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } } },
};
const usage = { input_tokens: 20, cache_read_input_tokens: 10, cache_creation_input_tokens: 0, output_tokens: 7 };

describe('a message of a plain model', () => {
  test('has its text, its end and its usage, whole and streamed alike', async () => {
    for (const message of [await ask('hello'), await streamed('hello')]) {
      expect(message).toMatchObject({
        id: expect.stringMatching(/^msg_/),
        type: 'message',
        role: 'assistant',
        model: 'gpt-5-2025',
        content: [{ type: 'text', text: 'Hello.' }],
        stop_reason: 'end_turn',
        stop_sequence: null,
        usage,
      });
    }
  });

  test('streams the events of the wire in their order, with usage at the start and at the end', async () => {
    const events = await eventsOf('hello');
    expect(events.map(({ type }) => type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    // No count came before the first word: an estimate of the prompt.
    expect(events[0]).toMatchObject({ message: { usage: { input_tokens: expect.any(Number), output_tokens: 0 } } });
    expect(events[0]?.type === 'message_start' && events[0].message.usage.input_tokens).toBeGreaterThan(0);
    expect(events.at(-2)).toMatchObject({ usage, ragmesh: { provider: 'openai', attempts: 2, cost_micros: 450 } });
  });

  test('shows thoughts before the text', async () => {
    for (const { content } of [await ask('think'), await streamed('think')]) {
      expect(content).toMatchObject([
        { type: 'thinking', thinking: 'Hm. ', signature: '' },
        { type: 'text', text: '42' },
      ]);
    }
  });

  test('calls tools one after the other, also when their parts alternate', async () => {
    const extra = { tools: [tool] };
    for (const message of [await ask('weather', extra), await streamed('weather', extra)]) {
      expect(message.stop_reason).toBe('tool_use');
      expect(message.content).toMatchObject([
        { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Oslo' } },
        { type: 'tool_use', id: 'call_2', name: 'weather', input: { city: 'Bergen' } },
      ]);
    }
    const open: number[] = [];
    for (const event of await eventsOf('weather', extra)) {
      if (event.type === 'content_block_start') open.push(event.index);
      if (event.type === 'content_block_stop') expect(open.pop()).toBe(event.index);
      expect(open.length).toBeLessThan(2);
    }
  });

  test('ends for the reason that the generation ended', async () => {
    expect((await ask('length')).stop_reason).toBe('max_tokens');
    expect((await ask('filter')).stop_reason).toBe('refusal');
    expect((await streamed('filtered later')).stop_reason).toBe('refusal');
    expect(await ask('nothing')).toMatchObject({ content: [], stop_reason: 'end_turn' });
  });

  test('names the request and the model that answered in headers', async () => {
    const { response, request_id: requestId } = await client.messages.create(bodyOf('hello')).withResponse();
    expect(response.headers.get('x-ragmesh-model')).toBe('gpt-5-2025');
    expect(requestId).toBe(response.headers.get('x-request-id'));
    const rate = (name: string) => response.headers.get(`anthropic-ratelimit-requests-${name}`) ?? '';
    expect(Number(rate('remaining'))).toBeLessThan(Number(rate('limit')));
    expect(new Date(rate('reset')).getTime()).toBeGreaterThan(0);
  });

  test('takes text back by itself if it is whole', async () => {
    expect((await ask('taken back')).content).toMatchObject([{ type: 'text', text: 'right' }]);
  });
});

describe('a request', () => {
  test('reaches the gateway with everything that it can carry', async () => {
    const png = 'iVBORw0KGgo=';
    await client.messages.create({
      model: 'gpt-5',
      max_tokens: 321,
      system: [{ type: 'text', text: 'Be short.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      // Parameters of earlier models, which this edition of the client has no types for.
      ...{ temperature: 0.5, top_k: 5 },
      stop_sequences: ['END'],
      thinking: { type: 'enabled', budget_tokens: 2048 },
      tools: [tool, { ...tool, name: 'n'.repeat(128) }],
      tool_choice: { type: 'tool', name: 'weather', disable_parallel_tool_use: true },
      metadata: { user_id: 'u1' },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
            { type: 'document', title: 'Terms', source: { type: 'text', media_type: 'text/plain', data: '30 days' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'I need the weather.', signature: '' },
            { type: 'tool_use', id: 't1', name: 'weather', input: { city: 'Oslo' } },
            { type: 'tool_use', id: 't2', name: 'weather', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'rain' }] },
            { type: 'tool_result', tool_use_id: 't2', is_error: true, content: 'no city' },
            { type: 'text', text: 'hello' },
          ],
        },
      ],
    });
    const request = asked.at(-1);
    expect(request).toMatchObject({
      model: 'gpt-5',
      maxTokens: 321,
      temperature: 0.5,
      stop: ['END'],
      extraJson: '{"top_k":5}',
      reasoningEffort: ReasoningEffort.LOW,
      parallelToolCalls: false,
      promptCacheSeconds: 3600,
      limitKey: 'dev',
      toolChoice: { mode: ToolChoiceMode.NAMED, name: 'weather' },
    });
    expect(request?.tools.map(({ name }) => name.length)).toEqual([7, 128]);
    expect(
      request?.messages.map(({ role, text, toolCallId, reasoning, images, toolCalls }) => ({
        ...{ role, text, toolCallId, reasoning },
        images: images.map(({ mediaType }) => mediaType),
        calls: toolCalls.map(({ id, argumentsJson }) => `${id} ${argumentsJson}`),
      })),
    ).toEqual([
      { role: MessageRole.SYSTEM, text: 'Be short.', toolCallId: '', reasoning: '', images: [], calls: [] },
      {
        role: MessageRole.USER,
        text: 'Look\nTerms\n30 days',
        toolCallId: '',
        reasoning: '',
        images: ['image/png'],
        calls: [],
      },
      {
        role: MessageRole.ASSISTANT,
        text: '',
        toolCallId: '',
        reasoning: 'I need the weather.',
        images: [],
        calls: ['t1 {"city":"Oslo"}', 't2 {}'],
      },
      { role: MessageRole.TOOL, text: 'rain', toolCallId: 't1', reasoning: '', images: [], calls: [] },
      { role: MessageRole.TOOL, text: 'Error: no city', toolCallId: 't2', reasoning: '', images: [], calls: [] },
      { role: MessageRole.USER, text: 'hello', toolCallId: '', reasoning: '', images: [], calls: [] },
    ]);
  });

  test('shows images of a result of a tool to the model as a message of the user', async () => {
    const image = { type: 'image' as const, source: { type: 'url' as const, url: 'https://example.com/a.png' } };
    await client.messages.create({
      ...bodyOf('hello'),
      messages: [
        ...user('look'),
        { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'see', input: {} }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: [image] }] },
      ],
    });
    const shown = asked.at(-1)?.messages.map(({ role, images }) => [role, images.length]);
    expect(shown?.slice(-2)).toEqual([
      [MessageRole.TOOL, 0],
      [MessageRole.USER, 1],
    ]);
  });

  test('is refused with the path of what cannot be done', async () => {
    const refused: [Partial<Params> | object, string][] = [
      [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools[0]'],
      [{ tools: [tool, tool] }, 'tools[1].name'],
      [{ tools: [tool], tool_choice: { type: 'tool', name: 'other' } }, 'tool_choice.name'],
      [{ max_tokens: undefined }, 'max_tokens'],
      [{ mcp_servers: [{ type: 'url' }] }, 'mcp_servers'],
      [
        {
          messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'base64', data: 'eA==' } }] }],
        },
        'messages[0].content[0].source',
      ],
      [{ messages: [{ role: 'user', content: [{ type: 'thinking', thinking: 'hm' }] }] }, 'messages[0].content[0]'],
      [{ messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role'],
    ];
    for (const [extra, path] of refused) {
      const error = await failure(ask('hello', extra as Partial<Params>));
      expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
      expect(error.message).toContain(path);
    }
  });
});

describe('a failure', () => {
  test("has Anthropic's shape, status and type, and the id of the request", async () => {
    const cases: [string, number, string][] = [
      ['limit', 429, 'rate_limit_error'],
      ['budget', 402, 'billing_error'],
      ['truncated', 503, 'api_error'],
      ['upstream error', 503, 'api_error'],
      ['large', 413, 'request_too_large'],
      ['no end', 500, 'api_error'],
    ];
    for (const [content, status, type] of cases) {
      const error = await failure(ask(content));
      expect(error).toMatchObject({ status, type, error: { type: 'error', request_id: error.requestID } });
    }
    expect(await failure(ask('hello', { model: 'gpt-9' }))).toMatchObject({ status: 404, type: 'not_found_error' });
    expect((await failure(ask('limit'))).headers?.get('retry-after')).toBe('2');
    expect((await failure(ask('spent'))).headers?.get('x-should-retry')).toBe('false');
    const stranger = new Anthropic({ apiKey: 'no', baseURL: edge.url, maxRetries: 0 });
    expect(await failure(stranger.messages.create(bodyOf('hello')))).toMatchObject({
      status: 401,
      type: 'authentication_error',
    });
  });

  test('before the first word is an HTTP status in a stream as well', async () => {
    expect(await failure(eventsOf('late'))).toMatchObject({ status: 503 });
    expect(await failure(streamed('limit'))).toMatchObject({ status: 429 });
  });

  test('in the middle of a stream is an event of it, and the message never ends', async () => {
    for (const content of ['truncated', 'upstream error', 'taken back', 'no end']) {
      const response = await fetch(`${edge.url}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...edge.authorization },
        body: JSON.stringify({ ...bodyOf(content), stream: true }),
      });
      const sent = await response.text();
      expect(sent).toMatch(/event: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
      expect(sent).not.toContain('message_stop');
      await expect(streamed(content)).rejects.toThrow();
    }
    await expect.poll(openCount, { interval: 5 }).toBe(0);
  });

  test('a client that leaves cancels the generation', async () => {
    const stream = client.messages.stream(bodyOf('wait'));
    stream.on('text', () => stream.abort());
    await expect(stream.finalMessage()).rejects.toThrow(/abort/i);
    await expect.poll(openCount, { interval: 5 }).toBe(0);
  });

  test('of a wrong verb or path has the same shape', async () => {
    const wrongVerb = await fetch(`${edge.url}/v1/messages`);
    expect([wrongVerb.status, await wrongVerb.json()]).toMatchObject([
      405,
      { type: 'error', error: { type: 'invalid_request_error' } },
    ]);
    const wrongPath = await fetch(`${edge.url}/v1/messages/batches`, { headers: edge.authorization });
    expect([wrongPath.status, await wrongPath.json()]).toMatchObject([
      404,
      { type: 'error', error: { type: 'not_found_error' } },
    ]);
  });
});

test('a base URL that ends in /v1 or in a slash is forgiven', async () => {
  for (const base of [`${edge.url}/v1`, `${edge.url}/`]) {
    const other = new Anthropic({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: base, maxRetries: 0 });
    expect(await other.messages.create(bodyOf('hello'))).toMatchObject({ stop_reason: 'end_turn' });
  }
});

test('tokens are counted before a message is asked for', async () => {
  const count = async (content: string, extra: object = {}) =>
    (await client.messages.countTokens({ model: 'gpt-5', messages: user(content), ...extra })).input_tokens;
  const short = await count('hello');
  expect(short).toBeGreaterThan(0);
  expect(await count('hello '.repeat(1000))).toBeGreaterThan(900);
  expect(await count('hello', { system: 'Be short.' })).toBeGreaterThan(short);
  expect(await count('hello', { tools: [tool] })).toBeGreaterThan(short);
  expect(await failure(count('hello', { model: '' }))).toMatchObject({ status: 400 });
});

describe('an answer from documents', () => {
  test('has its sources as citations of its text, whole and streamed alike', async () => {
    for (const message of [
      await ask('returns?', { model: 'ragmesh' }),
      await streamed('returns?', { model: 'ragmesh' }),
    ]) {
      expect(message).toMatchObject({
        id: 'msg_a1',
        model: 'ragmesh',
        stop_reason: 'end_turn',
        usage: { input_tokens: 120, output_tokens: 9 },
      });
      const texts = message.content.flatMap((block) => (block.type === 'text' ? [block.text] : []));
      expect(texts.join('')).toBe('Within 30 days, 退货免费 [1].');
      const citations = message.content.flatMap((block) => (block.type === 'text' ? (block.citations ?? []) : []));
      expect(citations).toEqual([
        {
          type: 'search_result_location',
          source: 'd1',
          title: 'Returns',
          cited_text: 'Within 30 days.'.repeat(20),
          search_result_index: 0,
          start_block_index: 0,
          end_block_index: 1,
        },
      ]);
    }
  });

  test('continues a conversation whose answers came with citations', async () => {
    const first = await ask('returns?', { model: 'ragmesh' });
    await client.messages.create({
      ...bodyOf(''),
      model: 'ragmesh/gpt-5',
      system: 'You are a pirate',
      messages: [...user('returns?'), { role: 'assistant', content: first.content as never }, ...user('And abroad?')],
    });
    expect(edge.seen.questions.at(-1)).toMatchObject({
      question: 'And abroad?',
      model: 'gpt-5',
      maxTokens: 100,
      history: [{ question: 'returns?', answer: 'Within 30 days, 退货免费 [1].' }],
    });
  });

  test('refuses what it cannot do', async () => {
    const error = await failure(ask('returns?', { model: 'ragmesh', tools: [tool] }));
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(error.message).toContain('tools');
  });
});
