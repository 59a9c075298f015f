import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import {
  ImageSchema,
  MessageRole,
  MessageSchema,
  ReasoningEffort,
  ResponseFormatSchema,
  ToolChoiceMode,
  ToolChoiceSchema,
  ToolSchema,
} from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import type { ProviderRequest } from '../../../providers/llm-provider.ts';
import { hello, named, streamed } from '../../../testing/responses.ts';
import { createWith, eventsOf, failureOf, requestLines, startWire, type WireServer } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const provider = (server: WireServer, settings = {}) =>
  createWith(adapter, { base_url: `${server.url}/v1`, api_key: 'sk-test', model: 'gpt-5.4-mini', ...settings });
const asked = async (request: Partial<ProviderRequest>, settings = {}) => {
  await using server = await startWire(streamed(named(...hello)));
  const events = await eventsOf(provider(server, settings), request);
  const warnings = events[0]?.kind === 'started' ? events[0].warnings : [];
  return { lines: requestLines(server.requests[0], ['authorization', 'content-type']), warnings };
};
const message = (role: MessageRole, text: string, init = {}) => create(MessageSchema, { role, text, ...init });
const weather = create(ToolSchema, {
  name: 'get_weather',
  description: 'The weather of a place',
  parametersJson: '{"type":"object","properties":{"location":{"type":"string"}},"required":["location"]}',
});

test('a request holds what was asked for, and nothing else', async () => {
  const { lines } = await asked({
    messages: [
      message(MessageRole.SYSTEM, 'Be kind.'),
      message(MessageRole.SYSTEM, 'Be short.'),
      message(MessageRole.USER, '这是什么？', {
        images: [
          create(ImageSchema, { source: { case: 'data', value: new Uint8Array([1, 2, 3]) }, mediaType: 'image/jpeg' }),
          create(ImageSchema, { source: { case: 'url', value: 'https://example.com/a.png' } }),
        ],
      }),
      message(MessageRole.ASSISTANT, 'I look.', {
        toolCalls: [
          { id: 'c1', name: 'get_weather', argumentsJson: '{"location":"SF"}' },
          { id: 'c2', name: 'now', argumentsJson: '' },
        ],
      }),
      message(MessageRole.TOOL, 'sunny', { toolCallId: 'c1' }),
      message(MessageRole.TOOL, '', { toolCallId: 'c2' }),
      message(MessageRole.SYSTEM, 'Mind the time.'),
      message(MessageRole.USER, 'And now?'),
    ],
    maxTokens: 500,
    temperature: Math.fround(0.7),
    topP: Math.fround(0.9),
    tools: [weather],
    toolChoice: create(ToolChoiceSchema, { mode: ToolChoiceMode.NAMED, name: 'get_weather' }),
    parallelToolCalls: false,
    responseFormat: create(ResponseFormatSchema, {
      form: {
        case: 'jsonSchema',
        value: { name: 'order', schemaJson: '{"type":"object"}', strict: true, description: 'it' },
      },
    }),
    tenantTag: 't-1',
  });
  expect(lines).toMatchInlineSnapshot(`
    "POST /v1/responses
    authorization: Bearer sk-test
    content-type: application/json
    model: "gpt-5.4-mini"
    instructions: "Be kind.\\n\\nBe short."
    input:
      {"type":"message","role":"user","content":[{"type":"input_text","text":"这是什么？"},{"type":"input_image","detail":"auto","image_url":"data:image/jpeg;base64,AQID"},{"type":"input_image","detail":"auto","image_url":"https://example.com/a.png"}]}
      {"type":"message","role":"assistant","content":"I look."}
      {"type":"function_call","call_id":"c1","name":"get_weather","arguments":"{\\"location\\":\\"SF\\"}"}
      {"type":"function_call","call_id":"c2","name":"now","arguments":"{}"}
      {"type":"function_call_output","call_id":"c1","output":"sunny"}
      {"type":"function_call_output","call_id":"c2","output":""}
      {"type":"message","role":"developer","content":"Mind the time."}
      {"type":"message","role":"user","content":"And now?"}
    stream: true
    store: false
    max_output_tokens: 500
    temperature: 0.7
    top_p: 0.9
    text: {"format":{"type":"json_schema","name":"order","schema":{"type":"object"},"strict":true,"description":"it"}}
    tools:
      {"type":"function","name":"get_weather","description":"The weather of a place","parameters":{"type":"object","properties":{"location":{"type":"string"}},"required":["location"]},"strict":false}
    tool_choice: {"type":"function","name":"get_weather"}
    parallel_tool_calls: false
    prompt_cache_key: "t-1"
    safety_identifier: "t-1""
  `);
});

test('a request for little holds little', async () => {
  expect((await asked({})).lines).toMatchInlineSnapshot(`
    "POST /v1/responses
    authorization: Bearer sk-test
    content-type: application/json
    model: "gpt-5.4-mini"
    input:
      {"type":"message","role":"user","content":"How long does a refund to a credit card take?"}
    stream: true
    store: false"
  `);
});

test('a model that is to think gets its effort, a summary, and no sampling', async () => {
  const request = { reasoningEffort: ReasoningEffort.HIGH, temperature: 1, topP: 1 };
  const { lines, warnings } = await asked(request, { reasoning_summary: 'auto' });
  expect(lines).toContain('reasoning: {"effort":"high","summary":"auto"}');
  expect(lines).not.toMatch(/temperature|top_p/);
  expect(warnings).toEqual([expect.stringContaining('temperature'), expect.stringContaining('top_p')]);
  const none = await asked({ reasoningEffort: ReasoningEffort.NONE, temperature: 1 }, { reasoning_summary: 'auto' });
  expect(none.lines).toMatch(/^reasoning: \{"effort":"none"\}$/m);
  expect(none.lines).toContain('temperature: 1');
});

test('what the API does not take is left out, and said', async () => {
  const { lines, warnings } = await asked({
    seed: 7n,
    frequencyPenalty: 1,
    presencePenalty: 1,
    stop: ['END'],
    maxTokens: 1,
  });
  expect(warnings.map((warning) => warning.split(':')[0])).toEqual([
    'seed',
    'frequency_penalty',
    'presence_penalty',
    'stop',
    'max_tokens',
  ]);
  expect(lines).not.toMatch(/seed|penalty|stop/);
  expect(lines).toContain('max_output_tokens: 16');
});

test.each([
  [ToolChoiceMode.AUTO, '"auto"'],
  [ToolChoiceMode.NONE, '"none"'],
  [ToolChoiceMode.REQUIRED, '"required"'],
])('a choice of tools (mode %i) is taken', async (mode, choice) => {
  const { lines } = await asked({ tools: [weather], toolChoice: create(ToolChoiceSchema, { mode }) });
  expect(lines).toContain(`tool_choice: ${choice}`);
});

test('a JSON object of any shape is asked for', async () => {
  const responseFormat = create(ResponseFormatSchema, { form: { case: 'jsonObject', value: {} } });
  expect((await asked({ responseFormat })).lines).toContain('text: {"format":{"type":"json_object"}}');
});

test('parameters that are no JSON are the fault of the caller', async () => {
  await using server = await startWire(undefined);
  const tools = [create(ToolSchema, { name: 'f', parametersJson: '{' })];
  expect((await failureOf(provider(server), { tools })).error).toMatchObject({
    remedy: 'fix-request',
    kind: 'invalid',
  });
});
