import Anthropic, { APIError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ScriptedModel, startScriptedModel } from '../testing/scripted-model.ts';
import { startWholeMesh, type WholeMesh } from '../testing/whole-mesh.ts';

// Anthropic's client, unchanged, against the whole mesh with a model of another vendor behind its gateway.

let model: ScriptedModel;
let mesh: WholeMesh;
let client: Anthropic;
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
  client = new Anthropic({ apiKey: mesh.devKey, baseURL: mesh.edgeUrl, maxRetries: 0 });
});
afterAll(async () => {
  await mesh.close();
  await model[Symbol.asyncDispose]();
});

const plain = { model: 'gpt-scripted', max_tokens: 200 };
const user = (content: string) => [{ role: 'user' as const, content }];
const weather = {
  name: 'weather',
  description: 'The weather in a city',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
};

test('a message of a plain model, whole and streamed, has the usage that the provider counted', async () => {
  const whole = await client.messages.create({ ...plain, messages: user('hello') });
  const streamed = await client.messages.stream({ ...plain, messages: user('hello') }).finalMessage();
  for (const message of [whole, streamed]) {
    expect(message).toMatchObject({ stop_reason: 'end_turn', usage: { input_tokens: 11, output_tokens: 5 } });
    expect(message.content).toMatchObject([{ type: 'text', text: expect.stringMatching(/\S/) }]);
  }
});

test('a loop with a tool ends with its result', async () => {
  const first = await client.messages.create({ ...plain, tools: [weather], messages: user('weather?') });
  expect(first.stop_reason).toBe('tool_use');
  const call = first.content.find((block) => block.type === 'tool_use');
  expect(call).toMatchObject({ name: 'weather', input: { city: 'Oslo' } });
  const result = { type: 'tool_result' as const, tool_use_id: call?.id ?? '', content: 'rain in Oslo' };
  const second = await client.messages.create({
    ...plain,
    tools: [weather],
    messages: [...user('weather?'), { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
  });
  expect(second.content).toMatchObject([{ type: 'text', text: expect.stringContaining('rain in Oslo') }]);
});

test('an answer from documents cites passages that hold what it says, whole and streamed alike', async () => {
  const question = { model: 'ragmesh', max_tokens: 500, messages: user('Are fabric swatches free?') };
  const whole = await client.messages.create(question);
  const streamed = await client.messages.stream(question).finalMessage();
  for (const message of [whole, streamed]) {
    const cited = message.content.flatMap((block) =>
      block.type === 'text' && (block.citations ?? []).length > 0 ? [block] : [],
    );
    expect(cited.length).toBeGreaterThan(0);
    for (const { text, citations } of cited) {
      expect(text).toMatch(/\[\d+\]/);
      for (const citation of citations ?? []) {
        expect(citation).toMatchObject({ type: 'search_result_location', cited_text: expect.stringMatching(/\S/) });
      }
    }
  }
  const textOf = ({ content }: Anthropic.Message) =>
    content.map((block) => block.type === 'text' && block.text).join('');
  expect(textOf(streamed)).toBe(textOf(whole));
});

test('a customer key asks documents, and reaches no model directly', async () => {
  const customer = new Anthropic({ apiKey: mesh.customerKey, baseURL: mesh.edgeUrl, maxRetries: 0 });
  const before = model.requests.length;
  for (const name of ['gpt-scripted', 'ragmesh/gpt-scripted', 'no-such-model']) {
    const refused = customer.messages.create({ ...plain, model: name, messages: user('write my homework') });
    const error = await refused.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 403, type: 'permission_error' });
  }
  expect(model.requests).toHaveLength(before);
  const names = [];
  for await (const { id } of customer.models.list()) names.push(id);
  expect(names).toEqual(['ragmesh']);
});
