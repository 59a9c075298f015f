import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createScriptedGateway } from '../../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../../testing/stand-ins.ts';

// What popular clients send beside OpenAI's own parameters.

let edge: EdgeMesh;
const { impl, asked } = createScriptedGateway();
beforeAll(async () => {
  edge = await startEdgeMesh({ llm: impl });
});
afterAll(() => edge.mesh.close());

const post = async (body: object, path = 'chat/completions') => {
  const response = await fetch(`${edge.url}/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: JSON.stringify({ model: 'gpt-5', ...body }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
};
const hello = { role: 'user', content: 'hello' };
const ask = (...before: object[]) => post({ messages: [...before, hello] });
const first = () => asked.at(-1)?.messages[0];

describe("fields of a provider's own API", () => {
  test.each([
    { chat_template_kwargs: { enable_thinking: false } },
    { top_k: 20, min_p: 0.1, repetition_penalty: 1.1 },
    { reasoning: { exclude: true }, thinking: { type: 'disabled' } },
    { enable_thinking: false, 'x-中文': '好' },
  ])('reach the gateway as they are: %j', async (extra) => {
    expect(await post({ messages: [hello], ...extra, keep_alive: null })).toMatchObject({ status: 200 });
    expect(JSON.parse(asked.at(-1)?.extraJson ?? '')).toEqual(extra);
  });

  test('are none without any, and at most 64 KiB', async () => {
    await post({ messages: [hello], temperature: 1, user: 'u' });
    expect(asked.at(-1)?.extraJson).toBe('');
    const refused = await post({ messages: [hello], options: '好'.repeat(30_000) });
    expect(refused).toMatchObject({ status: 400, json: { error: { param: 'options' } } });
  });
});

describe('an earlier message of an assistant', () => {
  test.each([
    [{ content: '42', reasoning_content: 'I think' }, 'I think', '42'],
    [
      { content: null, reasoning: '我想', tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }] },
      '我想',
      '',
    ],
    [
      {
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: '42' },
        ],
      },
      'hm',
      '42',
    ],
    [
      {
        content: [
          {
            type: 'thinking',
            thinking: [
              { type: 'text', text: 'h' },
              { type: 'text', text: 'm' },
            ],
          },
        ],
      },
      'hm',
      '',
    ],
    [
      {
        content: [
          { type: 'redacted_thinking', data: 'x' },
          { type: 'text', text: '42' },
        ],
      },
      '',
      '42',
    ],
  ])('keeps its reasoning: %j', async (message, reasoning, text) => {
    expect(await ask({ role: 'assistant', ...message })).toMatchObject({ status: 200 });
    expect(first()).toMatchObject({ role: MessageRole.ASSISTANT, reasoning, text });
  });

  test('keeps the own values of its calls, up to 64 KiB', async () => {
    const call = (extra: unknown) => ({ id: 'c', function: { name: 'f', arguments: '{}' }, extra_content: extra });
    await ask({ role: 'assistant', tool_calls: [call({ google: { thought_signature: 'a==' } })] });
    expect(first()?.toolCalls[0]?.extraContentJson).toBe('{"google":{"thought_signature":"a=="}}');
    await ask({ role: 'assistant', tool_calls: [call(undefined)] });
    expect(first()?.toolCalls[0]?.extraContentJson).toBe('');
    const large = await ask({ role: 'assistant', tool_calls: [call('x'.repeat(70_000))] });
    expect(large).toMatchObject({ status: 400, json: { error: { param: 'messages[0].tool_calls[0].extra_content' } } });
  });

  test('only an assistant thinks', async () => {
    const message = { role: 'user', content: [{ type: 'thinking', thinking: 'hm' }] };
    expect(await ask(message)).toMatchObject({
      status: 400,
      json: { error: { param: 'messages[0].content[0].type' } },
    });
    await ask({ role: 'user', content: 'x', reasoning_content: 'hm' });
    expect(first()?.reasoning).toBe('');
  });
});

test.each(['image/jpg', 'image/jpeg', 'IMAGE/JPG', 'image/JPEG'])('an image of the type %s is a JPEG', async (type) => {
  const image = { type: 'image_url', image_url: { url: `data:${type};base64,/9j/` } };
  expect(await ask({ role: 'user', content: [image] })).toMatchObject({ status: 200 });
  expect(first()?.images[0]?.mediaType).toBe('image/jpeg');
});

test('a tool may return nothing; an image of a tool and the old role are refused with the way', async () => {
  const result = (content: unknown) => ask({ role: 'tool', tool_call_id: 'c', content });
  expect(await result(null)).toMatchObject({ status: 200 });
  expect(first()).toMatchObject({ role: MessageRole.TOOL, text: '' });
  const image = await result([{ type: 'image_url', image_url: { url: 'https://shop.example/a.png' } }]);
  expect(JSON.stringify(image)).toContain('send it in a message of the user');
  expect(JSON.stringify(await ask({ role: 'function', name: 'f', content: 'x' }))).toContain('send role \\"tool\\"');
});

test('tools have long descriptions and fields of other providers', async () => {
  const described = { name: 'f', description: '说'.repeat(5000), cache_control: { type: 'ephemeral' } };
  expect(await post({ messages: [hello], tools: [{ type: 'function', function: described }] })).toMatchObject({
    status: 200,
  });
  expect(asked.at(-1)?.tools[0]?.description).toHaveLength(5000);
});

test('what is ignored is named', async () => {
  const { json } = await ask({
    role: 'user',
    name: 'Ann',
    content: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral' } }],
  });
  expect(json.warnings).toEqual([
    'cache_control of parts is not supported and was ignored',
    'name of messages is not supported and was ignored',
  ]);
});

test('a question for the documents passes over what other clients send, and says so', async () => {
  const extra = {
    chat_id: 'c',
    session_id: 's',
    id: 'x',
    keep_alive: -1,
    options: { num_ctx: 1 },
    min_p: 0.1,
    thinking: {},
  };
  const response = await fetch(`${edge.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: JSON.stringify({ model: 'ragmesh', messages: [hello], ...extra }),
  });
  expect(response.status).toBe(200);
  const { warnings } = (await response.json()) as { warnings: string[] };
  for (const name of Object.keys(extra)) {
    expect(warnings).toContain(`${name} is not supported and was ignored`);
    expect(response.headers.get('x-ragmesh-warnings')).toContain(`${name} is not supported`);
  }
});

const wires = {
  '/v1/chat/completions': { messages: [hello] },
  '/v1/completions': { prompt: 'hello' },
  '/v1/responses': { input: 'hello' },
  '/v1/messages': { messages: [hello], max_tokens: 100 },
};
const faces = Object.entries(wires).flatMap(([path, body]) =>
  [false, true].map((stream) => ({ path, stream, body: { ...body, model: 'ragmesh', top_p: 0.5, stream } })),
);
test.each(faces)('$path says in a header what was passed over; stream: $stream', async ({ path, body }) => {
  const response = await fetch(`${edge.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: JSON.stringify(body),
  });
  expect([response.status, response.headers.get('x-ragmesh-warnings')]).toEqual([
    200,
    'top_p is not supported and was ignored',
  ]);
  await response.text();
});
