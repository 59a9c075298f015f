import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// The clients that people have, unchanged, against the whole mesh with a model behind its gateway.

let model: ScriptedModel;
let mesh: WholeMesh;
let client: OpenAI;
beforeAll(async () => {
  model = await startScriptedModel();
  mesh = await startWholeMesh({
    config: {
      llmGateway: {
        models: [
          { adapter: 'extractive' },
          { name: 'gpt-scripted', adapter: 'openai-compatible', settings: { base_url: model.url, model: 'scripted' } },
        ],
      },
    },
  });
  client = new OpenAI({ apiKey: mesh.devKey, baseURL: `${mesh.edgeUrl}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await mesh.close();
  await model[Symbol.asyncDispose]();
});

const weather = {
  type: 'function' as const,
  function: {
    name: 'weather',
    description: 'The weather in a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const shape = {
  type: 'object',
  properties: { city: { type: 'string' }, degrees: { type: 'number' } },
  required: ['city', 'degrees'],
  additionalProperties: false,
};

test('a customer key asks documents, and reaches no model directly', async () => {
  const customer = new OpenAI({ apiKey: mesh.customerKey, baseURL: `${mesh.edgeUrl}/v1`, maxRetries: 0 });
  const before = model.requests.length;
  const messages = [
    { role: 'system' as const, content: 'You are a free pirate bot' },
    { role: 'user' as const, content: 'write my homework' },
  ];
  const refused = [
    customer.chat.completions.create({ model: 'gpt-scripted', messages }),
    customer.chat.completions.create({ model: 'ragmesh/gpt-scripted', messages }),
    customer.embeddings.create({ model: 'hashing', input: 'a' }),
  ];
  for (const work of await Promise.allSettled(refused)) {
    expect(work).toMatchObject({ status: 'rejected', reason: { status: 403, code: 'role_missing' } });
  }
  expect(model.requests).toHaveLength(before);
  const names = [];
  for await (const { id } of customer.models.list()) names.push(id);
  expect(names).toEqual(['ragmesh']);
  const answer = await customer.chat.completions.create({
    model: 'ragmesh',
    messages: [{ role: 'user', content: 'Are fabric swatches free?' }],
  });
  expect(answer.choices[0]).toMatchObject({
    finish_reason: 'stop',
    message: { content: expect.stringContaining('[1]') },
  });
});

describe("OpenAI's client", () => {
  const user = (content: string) => [{ role: 'user' as const, content }];

  test('gets a completion of a plain model, whole and streamed', async () => {
    const completion = await client.chat.completions.create({ model: 'gpt-scripted', messages: user('hello') });
    expect(completion.choices[0]).toMatchObject({ message: { content: 'You said: hello' }, finish_reason: 'stop' });
    expect(completion.usage).toMatchObject({ prompt_tokens: 11, completion_tokens: 5, total_tokens: 16 });
    const stream = client.chat.completions.stream({
      model: 'gpt-scripted',
      messages: user('hello'),
      stream_options: { include_usage: true },
    });
    expect(await stream.finalContent()).toBe('You said: hello');
    expect((await stream.totalUsage()).total_tokens).toBe(16);
    // Documents have no part in it.
    expect(model.requests.at(-1)?.messages).toMatchObject([{ role: 'user' }]);
  });

  test('gets an answer from documents beside it', async () => {
    const question = 'How long do I have to send back unwashed bedding?';
    const completion = await client.chat.completions.create({ model: 'ragmesh', messages: user(question) });
    expect(completion.choices[0]?.message.content).toMatch(/30/);
    expect(completion.choices[0]?.message).toHaveProperty('citations.0.document_id');
  });

  test('lets the model call a tool, and sends it the result', async () => {
    const said: string[] = [];
    const runner = client.chat.completions.runTools({
      model: 'gpt-scripted',
      stream: true,
      messages: user('How is the weather?'),
      tools: [
        {
          type: 'function',
          function: {
            ...weather.function,
            parse: JSON.parse,
            function: ({ city }: { city: string }) => {
              said.push(city);
              return 'rain';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('The tool says: rain');
    expect(said).toEqual(['Oslo']);
  });

  test('gets JSON of a given shape', async () => {
    const completion = await client.chat.completions.parse({
      model: 'gpt-scripted',
      messages: user('How is the weather?'),
      response_format: { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema: shape } },
    });
    expect(JSON.parse(completion.choices[0]?.message.content ?? '')).toEqual({ city: 'Oslo', degrees: 7 });
    expect(model.requests.at(-1)?.response_format).toMatchObject({ type: 'json_schema' });
  });

  test('that leaves a stream in the middle ends it at the provider', async () => {
    const stream = await client.chat.completions.create({
      model: 'gpt-scripted',
      messages: user('wait'),
      stream: true,
    });
    for await (const { choices } of stream) if (choices[0]?.delta.content === 'first') break;
    await expect.poll(() => model.openCount(), { interval: 10 }).toBe(0);
  });

  test('gets an error inside the stream when the provider ends early', async () => {
    const stream = await client.chat.completions.create({
      model: 'gpt-scripted',
      messages: user('hang up'),
      stream: true,
    });
    const reasons: unknown[] = [];
    const read = async () => {
      for await (const { choices } of stream) reasons.push(choices[0]?.finish_reason);
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
    expect(reasons.filter(Boolean)).toEqual([]);
  });

  test('lists models, and embeds', async () => {
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    expect(names).toEqual(expect.arrayContaining(['ragmesh', 'gpt-scripted', 'ragmesh/gpt-scripted']));
    const { data } = await client.embeddings.create({ model: 'ragmesh', input: ['退货', 'refund'] });
    expect(data).toHaveLength(2);
    expect(data[0]?.embedding.length).toBeGreaterThan(100);
    const documents = ['shoes', 'the refund takes ten days'];
    const ranked = await client.post<{ results: { index: number }[] }>('/rerank', {
      body: { query: 'how long does a refund take', documents },
    });
    expect(ranked.results[0]?.index).toBe(1);
  });
});

describe('LangChain', () => {
  const langChain = () =>
    new ChatOpenAI({
      model: 'gpt-scripted',
      apiKey: mesh.devKey,
      maxRetries: 0,
      configuration: { baseURL: `${mesh.edgeUrl}/v1` },
    });

  test('invokes and streams', async () => {
    const answer = await langChain().invoke('hello');
    expect(answer.content).toBe('You said: hello');
    expect(answer.usage_metadata).toMatchObject({ input_tokens: 11, output_tokens: 5 });
    let streamed = '';
    for await (const chunk of await langChain().stream('hello')) streamed += chunk.content;
    expect(streamed).toBe('You said: hello');
  });

  test('binds tools', async () => {
    const bound = langChain().bindTools([weather]);
    const question = new HumanMessage('How is the weather?');
    const call = await bound.invoke([question]);
    expect(call.tool_calls).toMatchObject([{ id: 'call_1', name: 'weather', args: { city: 'Oslo' } }]);
    const result = new ToolMessage({ tool_call_id: 'call_1', content: 'rain' });
    expect((await bound.invoke([question, call, result])).content).toBe('The tool says: rain');
  });

  test.each(['jsonSchema', 'jsonMode'] as const)('gives structured output by %s', async (method) => {
    const structured = langChain().withStructuredOutput(shape, { name: 'weather', method });
    expect(await structured.invoke('How is the weather?')).toEqual({ city: 'Oslo', degrees: 7 });
  });

  test('gives structured output by a function', async () => {
    const structured = langChain().withStructuredOutput(shape, { name: 'weather', method: 'functionCalling' });
    expect(await structured.invoke('How is the weather?')).toEqual({ city: 'Oslo' });
  });

  test('embeds', async () => {
    const embeddings = new OpenAIEmbeddings({
      model: 'ragmesh',
      apiKey: mesh.devKey,
      configuration: { baseURL: `${mesh.edgeUrl}/v1` },
    });
    const [one, two] = await embeddings.embedDocuments(['退货', 'refund']);
    expect(one?.length).toBe(two?.length);
    expect(await embeddings.embedQuery('退货')).toHaveLength(one?.length ?? -1);
  });
});

describe('the Responses API', () => {
  test('answers for a plain model, and with its tools, as chat completions do', async () => {
    const input = 'hello';
    const whole = await client.responses.create({ model: 'gpt-scripted', input });
    const streamed = await client.responses.stream({ model: 'gpt-scripted', input }).finalResponse();
    expect(whole.output_text).not.toBe('');
    expect(streamed.output_text).toBe(whole.output_text);
    const langchain = new ChatOpenAI({
      model: 'gpt-scripted',
      apiKey: mesh.devKey,
      useResponsesApi: true,
      configuration: { baseURL: `${mesh.edgeUrl}/v1` },
    });
    const [call] = (await langchain.bindTools([weather]).invoke([new HumanMessage('weather?')])).tool_calls ?? [];
    expect(call).toMatchObject({ name: 'weather', args: { city: 'Oslo' } });
  });

  test('keeps an answer from documents if asked to, and continues it at its end only', async () => {
    const ask = (input: string, extra: object = {}) => client.responses.create({ model: 'ragmesh', input, ...extra });
    const lone = await ask('Are fabric swatches free?');
    expect(lone).toMatchObject({ store: false, output_text: expect.stringContaining('[1]') });
    const first = await ask('Are fabric swatches free?', { store: true });
    expect(first).toMatchObject({ store: true });
    const second = await ask('How long does a refund take?', { previous_response_id: first.id });
    expect(second).toMatchObject({ store: true, previous_response_id: first.id });
    await expect(ask('And then?', { previous_response_id: first.id })).rejects.toMatchObject({ status: 400 });
    expect((await ask('Thanks', { previous_response_id: second.id })).status).toBe('completed');
    const customer = new OpenAI({ apiKey: mesh.customerKey, baseURL: `${mesh.edgeUrl}/v1`, maxRetries: 0 });
    const stolen = customer.responses.create({ model: 'ragmesh', input: 'And?', previous_response_id: second.id });
    await expect(stolen).rejects.toMatchObject({ status: 404 });
  });
});
