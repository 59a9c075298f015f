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
import { createWith, eventsOf, failureOf, requestLines, startWire } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const reply = {
  body: '{"model":"qwen3","message":{"role":"assistant","content":"a"},"done":true,"done_reason":"stop"}\n',
};
const asked = async (request: Partial<ProviderRequest>, settings = {}) => {
  await using server = await startWire(reply);
  const events = await eventsOf(createWith(adapter, { base_url: server.url, model: 'qwen3', ...settings }), request);
  const warnings = events[0]?.kind === 'started' ? events[0].warnings : [];
  return { lines: requestLines(server.requests[0], ['authorization', 'content-type']), warnings };
};
const message = (role: MessageRole, text: string, init = {}) => create(MessageSchema, { role, text, ...init });
const tool = (name: string) =>
  create(ToolSchema, { name, description: 'finds it', parametersJson: '{"type":"object","properties":{}}' });
const picture = (source: { case: 'data'; value: Uint8Array } | { case: 'url'; value: string }) =>
  message(MessageRole.USER, 'What is this?', { images: [create(ImageSchema, { source, mediaType: 'image/png' })] });

test('a request holds what was asked for, and nothing else', async () => {
  const { lines, warnings } = await asked(
    {
      messages: [
        message(MessageRole.SYSTEM, 'Be kind.'),
        picture({ case: 'data', value: new Uint8Array([1, 2, 3]) }),
        message(MessageRole.ASSISTANT, '', { toolCalls: [{ id: 'c1', name: 'order', argumentsJson: '{"id":7}' }] }),
        message(MessageRole.TOOL, 'shipped', { toolCallId: 'c1' }),
        message(MessageRole.USER, '现在呢？'),
      ],
      maxTokens: 500,
      temperature: Math.fround(0.7),
      topP: Math.fround(0.9),
      seed: 42n,
      frequencyPenalty: 0.5,
      presencePenalty: -0.5,
      stop: ['END'],
      tools: [tool('order')],
      toolChoice: create(ToolChoiceSchema, { mode: ToolChoiceMode.AUTO }),
      reasoningEffort: ReasoningEffort.HIGH,
      responseFormat: create(ResponseFormatSchema, {
        form: { case: 'jsonSchema', value: { name: 'order', schemaJson: '{"type":"object"}' } },
      }),
      tenantTag: 't-1',
    },
    { api_key: 'k', num_ctx: 16_384, keep_alive: '-1' },
  );
  expect(warnings).toEqual([]);
  expect(lines).toMatchInlineSnapshot(`
    "POST /api/chat
    authorization: Bearer k
    content-type: application/json
    model: "qwen3"
    messages:
      {"role":"system","content":"Be kind."}
      {"role":"user","content":"What is this?","images":["AQID"]}
      {"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"order","arguments":{"id":7}}}]}
      {"role":"tool","content":"shipped","tool_call_id":"c1","tool_name":"order"}
      {"role":"user","content":"现在呢？"}
    stream: true
    truncate: false
    shift: false
    options: {"num_ctx":16384,"num_predict":500,"temperature":0.7,"top_p":0.9,"seed":42,"frequency_penalty":0.5,"presence_penalty":-0.5,"stop":["END"]}
    keep_alive: -1
    think: "high"
    format: {"type":"object"}
    tools:
      {"type":"function","function":{"name":"order","description":"finds it","parameters":{"type":"object","properties":{}}}}"
  `);
});

test('a request for little holds little, and never has a prompt cut in silence', async () => {
  expect((await asked({})).lines).toMatchInlineSnapshot(`
    "POST /api/chat
    authorization: undefined
    content-type: application/json
    model: "qwen3"
    messages:
      {"role":"user","content":"How long does a refund to a credit card take?"}
    stream: true
    truncate: false
    shift: false"
  `);
});

test.each([
  [ReasoningEffort.NONE, 'think: false'],
  [ReasoningEffort.LOW, 'think: "low"'],
  [ReasoningEffort.MEDIUM, 'think: "medium"'],
])('effort %i is its think', async (reasoningEffort, line) => {
  expect((await asked({ reasoningEffort })).lines).toContain(line);
});

test('what Ollama does not take is left out, and said', async () => {
  const { lines, warnings } = await asked({
    tools: [tool('a'), tool('b')],
    toolChoice: create(ToolChoiceSchema, { mode: ToolChoiceMode.NAMED, name: 'b' }),
    parallelToolCalls: false,
    seed: 2n ** 60n,
  });
  expect(warnings.map((warning) => warning.split(':')[0])).toEqual(['tool_choice', 'parallel_tool_calls', 'seed']);
  expect(lines).not.toContain('seed');
  expect(lines).toContain('"name":"b"');
  expect(lines).not.toContain('"name":"a"');
});

test('no tool is offered if none may be called', async () => {
  const toolChoice = create(ToolChoiceSchema, { mode: ToolChoiceMode.NONE });
  expect((await asked({ tools: [tool('a')], toolChoice })).lines).not.toContain('tools');
});

test('a JSON object of any shape, and the beginning of an answer', async () => {
  const responseFormat = create(ResponseFormatSchema, { form: { case: 'jsonObject', value: {} } });
  const { lines } = await asked({ responseFormat, prefix: '{' });
  expect(lines).toContain('format: "json"');
  expect(lines).toContain('{"role":"assistant","content":"{"}\n');
});

test('an image by its address is for another provider; nothing is asked', async () => {
  await using server = await startWire(reply);
  const provider = createWith(adapter, { base_url: server.url, model: 'qwen3' });
  const messages = [picture({ case: 'url', value: 'https://example.com/a.png' })];
  expect((await failureOf(provider, { messages })).error).toMatchObject({ remedy: 'elsewhere', kind: 'invalid' });
  expect(server.requests).toEqual([]);
});
