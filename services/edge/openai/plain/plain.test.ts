import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createScriptedGateway } from '../../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: OpenAI;
const { impl, asked, openCount } = createScriptedGateway();
beforeAll(async () => {
  edge = await startEdgeMesh({ llm: impl });
  client = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

const user = (content: string) => [{ role: 'user' as const, content }];
const ask = (content: string, extra: object = {}) =>
  client.chat.completions.create({ model: 'gpt-5', messages: user(content), ...extra });
const post = (body: object, headers: Record<string, string> = {}) =>
  fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization, ...headers },
    body: JSON.stringify({ model: 'gpt-5', ...body }),
  });
const failure = async (work: Promise<unknown>): Promise<APIError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
};
const chunksOf = async (content: string, extra: object = {}) => {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  const stream = await client.chat.completions.create({
    model: 'gpt-5',
    messages: user(content),
    stream: true,
    ...extra,
  });
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

describe('the model of a name', () => {
  test('the gateway is asked for its own, and chat for those that answer from documents', async () => {
    await ask('hello');
    expect(asked.at(-1)).toMatchObject({ model: 'gpt-5' });
    const questionCount = edge.seen.questions.length;
    const models: [string, string][] = [
      ['', ''],
      ['ragmesh', ''],
      ['ragmesh/gpt-5', 'gpt-5'],
      ['extractive', 'extractive'],
      ['ragmesh/extractive', 'extractive'],
    ];
    for (const [model, generator] of models) {
      const { choices, ...completion } = await client.chat.completions.create({ model, messages: user('returns?') });
      expect(choices[0]?.message.content).toContain('[1]');
      expect(completion.model).toBe(model || 'ragmesh');
      expect(edge.seen.questions.at(-1)?.model).toBe(generator);
    }
    expect(edge.seen.questions.length).toBe(questionCount + models.length);
  });

  test('both kinds are listed', async () => {
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    expect(names).toEqual(['ragmesh', 'gpt-5', 'extractive', 'ragmesh/gpt-5']);
    expect(await client.models.retrieve('ragmesh/gpt-5')).toMatchObject({ owned_by: 'ragmesh' });
  });

  test('an unknown one is 404', async () => {
    const error = await failure(ask('hello', { model: 'gpt-9' }));
    expect(error).toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      type: 'invalid_request_error',
    });
  });
});

describe('a completion', () => {
  test('has its words, its usage, and what it took', async () => {
    const completion = await ask('hello');
    expect(completion).toMatchObject({
      id: `chatcmpl-${asked.at(-1)?.requestId}`,
      object: 'chat.completion',
      model: 'gpt-5-2025',
      choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 30,
        completion_tokens: 7,
        total_tokens: 37,
        prompt_tokens_details: { cached_tokens: 10 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
      ragmesh: {
        provider: 'openai',
        model: 'gpt-5-2025',
        attempts: 2,
        cost_micros: 450,
        currency: 'USD',
        price_version: '2026-11',
        usage_provenance: 'reported',
      },
    });
    expect(completion).not.toHaveProperty('warnings');
    expect(completion.choices[0]?.message).not.toHaveProperty('tool_calls');
  });

  test('streams: the role first, the reason to finish last, usage if it was requested', async () => {
    const chunks = await chunksOf('hello', { stream_options: { include_usage: true } });
    expect(chunks.map(({ choices }) => choices[0]?.delta ?? null)).toEqual([
      { role: 'assistant', content: '', refusal: null },
      { content: 'Hel' },
      { content: 'lo.' },
      {},
      null,
    ]);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason ?? null)).toEqual([null, null, null, 'stop', null]);
    expect(chunks.map(({ usage: tokens }) => (tokens === null ? null : tokens?.total_tokens))).toEqual([
      null,
      null,
      null,
      null,
      37,
    ]);
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-2)).toMatchObject({ ragmesh: { attempts: 2, cost_micros: 450 } });
    expect(new Set(chunks.map(({ id, object, model }) => `${id} ${object} ${model}`)).size).toBe(1);
    for (const chunk of await chunksOf('hello')) expect(chunk).not.toHaveProperty('usage');
  });

  test('without a word is whole as well', async () => {
    expect((await ask('nothing')).choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'stop' });
    expect((await chunksOf('nothing')).map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, 'stop']);
  });

  test('shows the reasoning apart from the text', async () => {
    expect((await ask('think')).choices[0]?.message).toMatchObject({ content: '42', reasoning_content: 'Hm. ' });
    const deltas = (await chunksOf('think')).map(({ choices }) => choices[0]?.delta);
    expect(deltas.slice(1, 3)).toEqual([{ reasoning_content: 'Hm. ' }, { content: '42' }]);
  });

  test('calls tools', async () => {
    const [choice] = (await ask('weather')).choices;
    expect(choice).toMatchObject({
      finish_reason: 'tool_calls',
      message: {
        content: null,
        tool_calls: [
          { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } },
          { id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{"city":"Bergen"}' } },
        ],
      },
    });
    const stream = client.chat.completions.stream({ model: 'gpt-5', messages: user('weather') });
    const streamed = await stream.finalMessage();
    expect(streamed.tool_calls?.map((call) => call.type === 'function' && call.function.arguments)).toEqual([
      '{"city":"Oslo"}',
      '{"city":"Bergen"}',
    ]);
    const parts = (await chunksOf('weather')).flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(parts).toEqual([
      { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } },
      { index: 0, function: { arguments: '{"city":' } },
      { index: 1, id: 'call_2', type: 'function', function: { name: 'weather', arguments: '{"city":"Bergen"}' } },
      { index: 0, function: { arguments: '"Oslo"}' } },
    ]);
  });

  test('ends for the reason that the generation ended', async () => {
    expect((await ask('length')).choices[0]?.finish_reason).toBe('length');
    expect((await chunksOf('length')).at(-1)?.choices[0]?.finish_reason).toBe('length');
  });

  test('that a filter refused is an error before its first word, and a reason to finish after it', async () => {
    for (const refused of [ask('filter'), chunksOf('filter')]) {
      expect(await failure(refused)).toMatchObject({
        status: 400,
        code: 'content_filter',
        type: 'invalid_request_error',
      });
    }
    expect((await ask('filtered later')).choices[0]).toMatchObject({
      finish_reason: 'content_filter',
      message: { content: 'I' },
    });
    expect((await chunksOf('filtered later')).at(-1)?.choices[0]?.finish_reason).toBe('content_filter');
  });

  test('names the model that answered, in the body and in headers, also in non-ASCII', async () => {
    const bodies = [{ messages: user('hello') }, { messages: user('hello'), stream: true }];
    for (const body of bodies) {
      const response = await post(body);
      expect(response.headers.get('x-ragmesh-model')).toBe('gpt-5-2025');
      expect(response.headers.get('x-ragmesh-provider')).toBe('openai');
      expect(await response.text()).toContain('"model":"gpt-5-2025"');
    }
    const foreign = await post({ messages: user('foreign name') });
    expect(foreign.headers.get('x-ragmesh-model')).toBe('??-7b');
    expect(await foreign.json()).toMatchObject({ model: '模型-7b' });
  });

  test('carries the own values of tool calls', async () => {
    const extra = { google: { thought_signature: 'abc==' } };
    const whole = await ask('signed call');
    expect(whole.choices[0]?.message.tool_calls?.[0]).toMatchObject({ id: 'c1', extra_content: extra });
    const chunks = await chunksOf('signed call');
    const parts = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(parts).toMatchObject([{ id: 'c1', extra_content: extra }]);
  });

  test('returns what the provider did not support', async () => {
    const expected = { warnings: [expect.stringContaining('logit_bias'), 'seed: ollama has none'] };
    expect(await ask('warned', { logit_bias: { 1: 2 } })).toMatchObject(expected);
    expect((await chunksOf('warned', { logit_bias: { 1: 2 } })).at(-1)).toMatchObject(expected);
  });
});

describe('a failure', () => {
  test('has the status and the code that the client knows', async () => {
    const limit = await failure(ask('limit'));
    expect(limit).toMatchObject({ status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' });
    expect(limit.headers?.get('retry-after')).toBe('2');
    expect(await failure(ask('budget'))).toMatchObject({
      status: 429,
      type: 'insufficient_quota',
      code: 'insufficient_quota',
    });
    expect(await failure(ask('truncated'))).toMatchObject({ status: 503, type: 'server_error', code: 'truncated' });
    expect(await failure(ask('upstream error'))).toMatchObject({ status: 503, code: 'upstream_error' });
    expect(await failure(ask('no end'))).toMatchObject({ status: 500, type: 'server_error' });
  });

  test('of a completion that is too large is no matter of rate', async () => {
    expect(await failure(ask('large'))).toMatchObject({
      status: 413,
      type: 'invalid_request_error',
      code: 'too_large',
    });
  });

  test('for which the gateway has no attempts left is not tried again by the client', async () => {
    const retrying = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 2 });
    const askedCount = asked.length;
    const messages = user('spent');
    const error = await failure(retrying.chat.completions.create({ model: 'gpt-5', messages }));
    expect(error.headers?.get('x-should-retry')).toBe('false');
    expect(asked.length).toBe(askedCount + 1);
    expect((await failure(ask('late'))).headers?.get('x-should-retry')).toBeNull();
  });

  test('before the first word is an HTTP status in a stream as well', async () => {
    expect(await failure(chunksOf('late'))).toMatchObject({ status: 503, code: 'dependency_unavailable' });
    expect(await failure(chunksOf('limit'))).toMatchObject({ status: 429 });
  });

  test('in the middle of a stream is an event of it, with neither a reason to finish nor the mark of its end', async () => {
    const codes: [string, string][] = [
      ['truncated', 'truncated'],
      ['upstream error', 'upstream_error'],
      ['taken back', 'upstream_error'],
      ['no end', 'internal'],
    ];
    for (const [content, code] of codes) {
      const sent = await (await post({ messages: user(content), stream: true })).text();
      const events = sent.split('\n\n').filter(Boolean);
      expect(JSON.parse(events.at(-1)?.slice('data: '.length) ?? '')).toMatchObject({
        error: { type: 'server_error', code },
      });
      expect(sent).not.toContain('[DONE]');
      expect(sent).not.toMatch(/"finish_reason":"/);
      expect((await failure(chunksOf(content))).type).toBe('server_error');
    }
    await expect.poll(openCount, { interval: 5 }).toBe(0);
  });

  test('a whole completion takes text back by itself', async () => {
    expect((await ask('taken back')).choices[0]?.message.content).toBe('right');
  });

  test('a client that leaves a stream, or a whole completion, cancels the generation', async () => {
    const stream = await client.chat.completions.create({ model: 'gpt-5', messages: user('wait'), stream: true });
    for await (const { choices } of stream) if (choices[0]?.delta.content === 'first') break;
    await expect.poll(openCount, { interval: 5 }).toBe(0);
    const controller = new AbortController();
    const whole = client.chat.completions.create(
      { model: 'gpt-5', messages: user('wait') },
      { signal: controller.signal },
    );
    whole.catch(() => {});
    await expect.poll(openCount, { interval: 5 }).toBe(1);
    controller.abort();
    await expect(whole).rejects.toThrow(/abort/i);
    await expect.poll(openCount, { interval: 5 }).toBe(0);
  });

  test('a wrong verb is refused in the same form', async () => {
    const response = await fetch(`${edge.url}/v1/chat/completions`);
    expect([response.status, response.headers.get('allow'), await response.json()]).toMatchObject([
      405,
      'POST',
      { error: { type: 'invalid_request_error', code: 'method_not_allowed' } },
    ]);
  });
});
