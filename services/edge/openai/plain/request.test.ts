import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  MessageRole,
  MidStreamPolicy,
  ReasoningEffort,
  ToolChoiceMode,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { createScriptedGateway } from '../../testing/scripted-gateway.ts';
import { type EdgeMesh, startEdgeMesh } from '../../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: OpenAI;
const { impl, asked } = createScriptedGateway();
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
const drained = async (content: string, extra: object = {}) =>
  (await post({ messages: user(content), stream: true, ...extra })).text();

describe('a request', () => {
  test('reaches the gateway whole', async () => {
    await client.chat.completions.create({
      model: 'gpt-5',
      user: 'somebody-else',
      temperature: 0.5,
      top_p: 0.25,
      max_completion_tokens: 99,
      seed: 7,
      stop: 'END',
      frequency_penalty: -1,
      presence_penalty: 1.5,
      reasoning_effort: 'low',
      parallel_tool_calls: false,
      tool_choice: { type: 'function', function: { name: 'weather' } },
      tools: [
        {
          type: 'function',
          function: { name: 'weather', description: 'Says it', parameters: { type: 'object', properties: {} } },
        },
        { type: 'function', function: { name: 'bare' } },
      ],
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'shape', description: 'd', strict: true, schema: { type: 'object' } },
      },
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'developer', content: [{ type: 'text', text: 'And kind.' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'https://shop.example/a.png' } },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AQID' } },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"a":1}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'rain' },
      ],
    });
    expect(asked.at(-1)).toMatchObject({
      model: 'gpt-5',
      limitKey: 'dev',
      temperature: 0.5,
      topP: 0.25,
      maxTokens: 99,
      seed: 7n,
      stop: ['END'],
      frequencyPenalty: -1,
      presencePenalty: 1.5,
      reasoningEffort: ReasoningEffort.LOW,
      parallelToolCalls: false,
      toolChoice: { mode: ToolChoiceMode.NAMED, name: 'weather' },
      tools: [
        { name: 'weather', description: 'Says it', parametersJson: '{"type":"object","properties":{}}' },
        { name: 'bare', parametersJson: '' },
      ],
      responseFormat: {
        form: {
          case: 'jsonSchema',
          value: { name: 'shape', description: 'd', strict: true, schemaJson: '{"type":"object"}' },
        },
      },
      midStreamPolicy: MidStreamPolicy.HOLD_BACK,
      messages: [
        { role: MessageRole.SYSTEM, text: 'Be brief.' },
        { role: MessageRole.SYSTEM, text: 'And kind.' },
        {
          role: MessageRole.USER,
          text: 'What is this?',
          images: [
            { source: { case: 'url', value: 'https://shop.example/a.png' } },
            { source: { case: 'data', value: new Uint8Array([1, 2, 3]) }, mediaType: 'image/png' },
          ],
        },
        { role: MessageRole.ASSISTANT, text: '', toolCalls: [{ id: 'c1', name: 'weather', argumentsJson: '{"a":1}' }] },
        { role: MessageRole.TOOL, text: 'rain', toolCallId: 'c1' },
      ],
    });
    await ask('hello', {
      response_format: { type: 'json_object' },
      tool_choice: 'none',
      stop: ['a', 'b'],
      max_tokens: 5,
    });
    expect(asked.at(-1)).toMatchObject({
      responseFormat: { form: { case: 'jsonObject' } },
      toolChoice: { mode: ToolChoiceMode.NONE },
      stop: ['a', 'b'],
      maxTokens: 5,
    });
    await ask('hello', { response_format: { type: 'text' } });
    expect(asked.at(-1)?.responseFormat).toBeUndefined();
    expect(asked.at(-1)?.temperature).toBeUndefined();
  });

  test('chooses what happens when a provider ends in the middle', async () => {
    await drained('hello');
    expect(asked.at(-1)?.midStreamPolicy).toBe(MidStreamPolicy.FAIL);
    await drained('hello', { mid_stream_policy: 'hold_back' });
    expect(asked.at(-1)?.midStreamPolicy).toBe(MidStreamPolicy.HOLD_BACK);
    const body = { messages: user('hello'), stream: true };
    await (await post(body, { 'x-ragmesh-mid-stream-policy': 'hold-back' })).text();
    expect(asked.at(-1)?.midStreamPolicy).toBe(MidStreamPolicy.HOLD_BACK);
    await drained('hello', { mid_stream_policy: 'continue' });
    expect(asked.at(-1)?.midStreamPolicy).toBe(MidStreamPolicy.CONTINUE_OR_FAIL);
    await (await post({ ...body, stream: false, mid_stream_policy: 'restart' })).text();
    expect(asked.at(-1)?.midStreamPolicy).toBe(MidStreamPolicy.RESTART);
    const wrong = await post(body, { 'x-ragmesh-mid-stream-policy': 'restart' });
    expect([wrong.status, await wrong.json()]).toMatchObject([
      400,
      { error: { param: 'x-ragmesh-mid-stream-policy' } },
    ]);
  });

  test('that is wrong is refused, and names the parameter', async () => {
    const image = (url: string) => ({
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    });
    const tool = { type: 'function', function: { name: 'f' } };
    const cases: [object, string][] = [
      [{ n: 2 }, 'n'],
      [{ logprobs: true }, 'logprobs'],
      [{ corpora: ['help'] }, 'corpora'],
      [{ functions: [{ name: 'f' }] }, 'functions'],
      [{ tools: [{ type: 'custom', custom: { name: 'f' } }] }, 'tools[0].type'],
      [{ tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name'],
      [{ tools: [tool, tool] }, 'tools[1].function.name'],
      [{ tools: [{ type: 'function', function: { name: 'f', parameters: 'x' } }] }, 'tools[0].function.parameters'],
      [{ tools: [tool], tool_choice: { type: 'function', function: { name: 'g' } } }, 'tool_choice.function.name'],
      [{ tools: [{ type: 'function' }] }, 'tools[0].function'],
      [{ tool_choice: { type: 'function', function: { name: 'g', other: 1 } } }, 'tool_choice.function.other'],
      [{ tool_choice: 7 }, 'tool_choice'],
      [{ stop: 7 }, 'stop'],
      [{ stop: '' }, 'stop'],
      [{ stop: ['a', ''] }, 'stop[1]'],
      [{ stop: Array.from({ length: 9 }, () => '') }, 'stop'],
      [{ seed: 1.5 }, 'seed'],
      [{ model: '😀'.repeat(257) }, 'model'],
      [{ response_format: {} }, 'response_format.type'],
      [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
      [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
      [{ messages: [{ role: 'user', content: [{ type: 'refusal', refusal: 'no' }] }] }, 'messages[0].content[0].type'],
      [{ messages: [{ role: 'assistant', function_call: {} }] }, 'messages[0].function_call'],
      [{ tool_choice: 'maybe' }, 'tool_choice'],
      [{ response_format: { type: 'grammar' } }, 'response_format.type'],
      [{ response_format: { type: 'json_schema', json_schema: { name: 'a b' } } }, 'response_format.json_schema.name'],
      [{ reasoning_effort: 'huge' }, 'reasoning_effort'],
      [{ messages: [] }, 'messages'],
      [{ messages: [{ content: 'x' }] }, 'messages[0].role'],
      [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
      [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].tool_call_id'],
      [{ messages: [{ role: 'tool', content: 'x', tool_call_id: '' }] }, 'messages[0].tool_call_id'],
      [
        { messages: [{ role: 'user', content: 'x', tool_calls: [{ id: 'c', function: { name: 'f' } }] }] },
        'messages[0].tool_calls',
      ],
      [
        { messages: [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'https://a' } }] }] },
        'messages[0].content[0]',
      ],
      [{ messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 'messages[0].content[0].type'],
      [image('ftp://a'), 'messages[0].content[0].image_url.url'],
      [image('data:image/png;base64,!!!!'), 'messages[0].content[0].image_url.url'],
      [image('data:text/html;base64,AQID'), 'messages[0].content[0].image_url.url'],
    ];
    const askedCount = asked.length;
    for (const [extra, param] of cases) {
      const error = await failure(ask('x', extra));
      expect(error, param).toMatchObject({ status: 400, type: 'invalid_request_error', param });
    }
    expect(asked.length).toBe(askedCount);
  });

  test('that is wrong is refused with what is allowed', async () => {
    const cases: [object, string][] = [
      [{ temperature: 3 }, 'temperature: must be a number from 0 to 2, not 3'],
      [{ seed: 'x' }, 'seed: must be a whole number from -9007199254740991 to 9007199254740991, not "x"'],
      [{ stop: true }, 'stop: must be a text or a list of texts, not true'],
      [{ stop: '' }, 'stop: has 0 characters: 1 to 256 are allowed'],
      [{ reasoning_effort: 'huge' }, 'must be one of none, minimal, low, medium, high, xhigh, not "huge"'],
      [{ messages: null }, 'messages: is missing'],
      [{ messages: [7] }, 'messages[0]: must be an object, not 7'],
      [
        { response_format: { type: 'text', x: 1 } },
        'response_format.x: is not known here; known are type, json_schema',
      ],
    ];
    for (const [extra, message] of cases) {
      expect((await failure(ask('x', extra))).message).toContain(message);
    }
  });

  test('may have null for every parameter that may be missing', async () => {
    const names = [
      'stream',
      'stop',
      'temperature',
      'tools',
      'tool_choice',
      'response_format',
      'n',
      'audio',
      'prediction',
    ];
    const completion = await ask('hello', Object.fromEntries(names.map((name) => [name, null])));
    expect(completion).not.toHaveProperty('warnings');
    expect(asked.at(-1)).toMatchObject({ stop: [], tools: [] });
    expect(asked.at(-1)?.temperature).toBeUndefined();
    expect(asked.at(-1)?.toolChoice).toBeUndefined();
  });

  test('may have as many characters as its bound, however long their encoding', async () => {
    await ask('hello', { stop: '😀'.repeat(256) });
    expect(asked.at(-1)?.stop).toEqual(['😀'.repeat(256)]);
  });

  test('may have calls with empty ids, whose results come in the same order', async () => {
    const call = (name: string, id: string) => ({ id, type: 'function', function: { name, arguments: '{}' } });
    const result = (content: string, id: string) => ({ role: 'tool', tool_call_id: id, content });
    const messages = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: null, tool_calls: [call('a', ''), call('b', 'own'), call('c', '')] },
      result('of a', ''),
      result('of b', 'own'),
      result('of c', ''),
      { role: 'assistant', content: null, tool_calls: [call('a', '')] },
      result('of a again', ''),
    ];
    expect((await post({ messages })).status).toBe(200);
    const read = asked.at(-1)?.messages ?? [];
    const calls = read.flatMap(({ toolCalls }) => toolCalls);
    expect(new Set(calls.map(({ id }) => id)).size).toBe(4);
    expect(calls.every(({ id }) => id !== '')).toBe(true);
    const nameById = new Map(calls.map(({ id, name }) => [id, name]));
    const results = read.filter(({ toolCallId }) => toolCallId !== '');
    expect(results.map(({ text, toolCallId }) => [text, nameById.get(toolCallId)])).toEqual([
      ['of a', 'a'],
      ['of b', 'b'],
      ['of c', 'c'],
      ['of a again', 'a'],
    ]);
  });

  test('may be as large as an image', async () => {
    const data = Buffer.alloc(2 << 20, 7).toString('base64');
    const content = [{ type: 'image_url', image_url: { url: `data:image/jpeg;base64,${data}` } }];
    expect((await post({ messages: [{ role: 'user', content }] })).status).toBe(200);
    expect(asked.at(-1)?.messages[0]?.images[0]?.source.value).toHaveLength(2 << 20);
  });
});
