import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
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
import { hello, named, streamed } from '../../../testing/anthropic.ts';
import { createWith, eventsOf, failureOf, requestLines, startWire, type WireServer } from '../../../testing/wire.ts';
import { adapter } from './index.ts';

const provider = (server: WireServer, settings = {}) =>
  createWith(adapter, { base_url: server.url, api_key: 'sk-ant-test', model: 'claude-haiku-5-5', ...settings });
/** The body that a request becomes. */
const bodyOf = async (request: Partial<ProviderRequest>, settings = {}) => {
  await using server = await startWire(streamed(named(...hello)));
  const events = await eventsOf(provider(server, settings), request);
  const warnings = events[0]?.kind === 'started' ? events[0].warnings : [];
  return { body: server.requests[0]?.body as Record<string, unknown>, warnings, headers: server.requests[0]?.headers };
};

const message = (role: MessageRole, text: string, init = {}) => create(MessageSchema, { role, text, ...init });
const weather = create(ToolSchema, {
  name: 'get_weather',
  description: 'The weather of a place',
  parametersJson: '{"type":"object","properties":{"location":{"type":"string"}},"required":["location"]}',
});
const jsonSchema = create(ResponseFormatSchema, {
  form: {
    case: 'jsonSchema',
    value: {
      name: 'order',
      schemaJson: '{"type":"object","properties":{"id":{"type":"integer","minimum":1}},"required":["id"]}',
      strict: true,
    },
  },
});

describe('a request', () => {
  test('holds what was asked for, and nothing else', async () => {
    await using server = await startWire(streamed(named(...hello)));
    const settings = { thinking: 'adaptive', prompt_cache: '5m' };
    await eventsOf(provider(server, settings), {
      messages: [
        message(MessageRole.SYSTEM, 'Be kind.'),
        message(MessageRole.SYSTEM, 'Answer from the passages.'),
        message(MessageRole.USER, '这是什么？', {
          images: [
            create(ImageSchema, {
              source: { case: 'data', value: new Uint8Array([1, 2, 3]) },
              mediaType: 'image/jpeg',
            }),
            create(ImageSchema, { source: { case: 'url', value: 'https://example.com/a.png' } }),
          ],
        }),
        message(MessageRole.ASSISTANT, '', {
          toolCalls: [
            { id: 'c1', name: 'get_weather', argumentsJson: '{"location":"SF"}' },
            { id: 'c2', name: 'get_weather', argumentsJson: '' },
          ],
        }),
        message(MessageRole.TOOL, 'sunny', { toolCallId: 'c1' }),
        message(MessageRole.TOOL, '', { toolCallId: 'c2' }),
        message(MessageRole.USER, 'And now?'),
      ],
      maxTokens: 500,
      stop: ['END', ' \n'],
      tools: [weather],
      toolChoice: create(ToolChoiceSchema, { mode: ToolChoiceMode.AUTO }),
      parallelToolCalls: false,
      reasoningEffort: ReasoningEffort.LOW,
      responseFormat: jsonSchema,
      tenantTag: 't-1',
    });
    expect(
      requestLines(server.requests[0], ['authorization', 'x-api-key', 'anthropic-version', 'content-type']),
    ).toMatchInlineSnapshot(`
      "POST /v1/messages
      authorization: Bearer sk-ant-test
      x-api-key: undefined
      anthropic-version: 2026-10-21
      content-type: application/json
      model: "claude-haiku-5-5"
      max_tokens: 500
      system:
        {"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral","ttl":"5m"}}
        {"type":"text","text":"Answer from the passages.","cache_control":{"type":"ephemeral","ttl":"5m"}}
      messages:
        {"role":"user","content":[{"type":"text","text":"这是什么？"},{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AQID"}},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]}
        {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"get_weather","input":{"location":"SF"}},{"type":"tool_use","id":"c2","name":"get_weather","input":{},"cache_control":{"type":"ephemeral","ttl":"5m"}}]}
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"sunny"},{"type":"tool_result","tool_use_id":"c2"},{"type":"text","text":"And now?"}]}
      stream: true
      stop_sequences:
        "END"
      thinking: {"type":"adaptive","display":"summarized"}
      output_config: {"effort":"low","format":{"type":"json_schema","schema":{"type":"object","properties":{"id":{"type":"integer","description":"{minimum: 1}"}},"additionalProperties":false,"required":["id"]}}}
      tools:
        {"name":"get_weather","description":"The weather of a place","input_schema":{"type":"object","properties":{"location":{"type":"string"}},"required":["location"]},"cache_control":{"type":"ephemeral","ttl":"5m"}}
      tool_choice: {"type":"auto","disable_parallel_tool_use":true}
      metadata: {"user_id":"t-1"}"
    `);
  });

  test('that asks for little holds little', async () => {
    await using server = await startWire(streamed(named(...hello)));
    await eventsOf(provider(server));
    expect(requestLines(server.requests[0])).toMatchInlineSnapshot(`
      "POST /v1/messages
      model: "claude-haiku-5-5"
      max_tokens: 4096
      messages:
        {"role":"user","content":[{"type":"text","text":"How long does a refund to a credit card take?"}]}
      stream: true"
    `);
  });

  test('goes without what the API does not take, and says so', async () => {
    const { body, warnings } = await bodyOf({
      temperature: 0.5,
      topP: 0.9,
      seed: 7n,
      frequencyPenalty: 1,
      presencePenalty: 1,
      responseFormat: create(ResponseFormatSchema, { form: { case: 'jsonObject', value: {} } }),
    });
    expect(body).not.toHaveProperty('temperature');
    expect(body.system).toEqual([{ type: 'text', text: expect.stringContaining('one JSON object') }]);
    expect(warnings.map((warning) => warning.split(':')[0])).toEqual([
      'seed',
      'frequency_penalty',
      'presence_penalty',
      'response_format',
      'temperature',
      'top_p',
    ]);
  });

  test('takes sampling to a model that has it, by the API that has it', async () => {
    const { body, headers, warnings } = await bodyOf({ temperature: Math.fround(1.7), topP: 0.5 }, { sampling: true });
    expect(headers?.['anthropic-version']).toBe('2023-06-01');
    expect(body).toMatchObject({ temperature: 1 });
    expect(body).not.toHaveProperty('top_p');
    expect(warnings).toHaveLength(2);
    const thinking = await bodyOf({ temperature: 1, reasoningEffort: ReasoningEffort.HIGH }, { sampling: true });
    expect(thinking.body).not.toHaveProperty('temperature');
  });

  test.each([
    ['claude-haiku-5-5', ReasoningEffort.UNSPECIFIED, undefined, undefined],
    ['claude-haiku-5-5', ReasoningEffort.HIGH, { type: 'adaptive', display: 'summarized' }, 'high'],
    ['claude-haiku-5-5', ReasoningEffort.NONE, { type: 'disabled' }, undefined],
    ['claude-sonnet-5-5', ReasoningEffort.NONE, { type: 'between_tools' }, undefined],
    ['claude-opus-5-5', ReasoningEffort.NONE, undefined, 'low'],
    ['claude-opus-5-5', ReasoningEffort.UNSPECIFIED, { type: 'adaptive', display: 'summarized' }, undefined],
    ['claude-sonnet-5-5', ReasoningEffort.UNSPECIFIED, { type: 'adaptive', display: 'summarized' }, undefined],
    ['claude-opus-4-6', ReasoningEffort.MEDIUM, { type: 'adaptive', display: 'summarized' }, 'medium'],
    ['claude-haiku-4-5-20251001', ReasoningEffort.LOW, { type: 'enabled', budget_tokens: 2048 }, undefined],
    ['claude-opus-4-5', ReasoningEffort.HIGH, { type: 'enabled', budget_tokens: 3072 }, undefined],
    ['claude-3-5-haiku-latest', ReasoningEffort.HIGH, undefined, undefined],
  ])('lets %s think as its kind does, with effort %i', async (model, reasoningEffort, thinking, effort) => {
    const { body } = await bodyOf({ reasoningEffort }, { model });
    expect(body.thinking).toEqual(thinking);
    expect((body.output_config as { effort?: string } | undefined)?.effort).toBe(effort);
  });

  test('that says nothing of thinking is thought about as the settings say', async () => {
    expect((await bodyOf({}, { effort: 'none' })).body.thinking).toEqual({ type: 'disabled' });
    const { body } = await bodyOf({ reasoningEffort: ReasoningEffort.LOW }, { effort: 'none' });
    expect(body).toMatchObject({ thinking: { type: 'adaptive' }, output_config: { effort: 'low' } });
  });

  test('with results of calls asks no model with a budget to think, as its thoughts are not kept', async () => {
    const messages = [
      message(MessageRole.USER, 'Weather?'),
      message(MessageRole.ASSISTANT, '', { toolCalls: [{ id: 'c1', name: 'get_weather', argumentsJson: '{}' }] }),
      message(MessageRole.TOOL, 'sunny', { toolCallId: 'c1' }),
    ];
    const request = { messages, tools: [weather], reasoningEffort: ReasoningEffort.HIGH };
    expect((await bodyOf(request, { model: 'claude-haiku-4-5' })).body).not.toHaveProperty('thinking');
    expect((await bodyOf(request)).body).toMatchObject({ thinking: { type: 'adaptive' } });
  });

  test('with too little room to think goes without thinking, never over its limit', async () => {
    const { body, warnings } = await bodyOf(
      { maxTokens: 1000, reasoningEffort: ReasoningEffort.HIGH },
      { model: 'claude-haiku-4-5' },
    );
    expect(body).toMatchObject({ max_tokens: 1000 });
    expect(body).not.toHaveProperty('thinking');
    expect(warnings).toEqual([expect.stringContaining('reasoning_effort')]);
  });

  test.each([
    [ToolChoiceMode.REQUIRED, 'claude-haiku-5-5', { type: 'any' }, { type: 'disabled' }],
    [ToolChoiceMode.NAMED, 'claude-haiku-5-5', { type: 'tool', name: 'get_weather' }, { type: 'disabled' }],
    [ToolChoiceMode.NAMED, 'claude-haiku-4-5', { type: 'tool', name: 'get_weather' }, undefined],
    [ToolChoiceMode.REQUIRED, 'claude-sonnet-5-5', { type: 'auto' }, { type: 'adaptive', display: 'summarized' }],
    [ToolChoiceMode.NONE, 'claude-haiku-5-5', { type: 'none' }, undefined],
  ])('forces a tool (mode %i) where %s can be forced, without thoughts', async (mode, model, choice, thinking) => {
    const toolChoice = create(ToolChoiceSchema, { mode, name: 'get_weather' });
    const { body } = await bodyOf({ tools: [weather], toolChoice }, { model });
    expect(body.tool_choice).toEqual(choice);
    expect(body.thinking).toEqual(thinking);
  });

  test('has cache points if the caller wants the prompt cached, for as long as it wants', async () => {
    const messages = [message(MessageRole.SYSTEM, 'Be kind.'), message(MessageRole.USER, 'hello')];
    const cachedFor = async (promptCacheSeconds: number, settings = {}) =>
      JSON.stringify((await bodyOf({ messages, promptCacheSeconds }, settings)).body).match(/"ttl":"(..)"/)?.[1];
    expect(await cachedFor(0)).toBeUndefined();
    expect(await cachedFor(300)).toBe('5m');
    expect(await cachedFor(3600)).toBe('1h');
    expect(await cachedFor(0, { prompt_cache: '5m' })).toBe('5m');
    expect(await cachedFor(3600, { prompt_cache: '5m' })).toBe('1h');
  });

  test('has no more than four cache points', async () => {
    const turn = (role: MessageRole) => message(role, 'x');
    const { body } = await bodyOf(
      {
        tools: [weather, weather],
        messages: [
          ...[1, 1, 1].map(() => turn(MessageRole.SYSTEM)),
          ...[2, 3, 2, 3, 2].map((role) => turn(role as MessageRole)),
        ],
      },
      { prompt_cache: '1h' },
    );
    expect(JSON.stringify(body).match(/"cache_control":\{"type":"ephemeral","ttl":"1h"\}/g)).toHaveLength(4);
    expect(JSON.stringify((body.messages as unknown[]).at(-1))).not.toContain('cache_control');
  });

  test('carries the key in the configured header', async () => {
    const asKey = await bodyOf({}, { key_header: 'x-api-key' });
    expect(asKey.headers).toMatchObject({ 'x-api-key': 'sk-ant-test' });
    expect(asKey.headers).not.toHaveProperty('authorization');
    const none = await bodyOf({}, { api_key: '' });
    expect(none.headers).toMatchObject({ authorization: 'Bearer none' });
  });

  test.each([
    [
      'arguments of an earlier call',
      { messages: [message(MessageRole.ASSISTANT, '', { toolCalls: [{ id: 'c', name: 'f', argumentsJson: '[' }] })] },
    ],
    ['parameters of a tool', { tools: [create(ToolSchema, { name: 'f', parametersJson: '[]' })] }],
    [
      'a schema of no type',
      {
        responseFormat: create(ResponseFormatSchema, {
          form: { case: 'jsonSchema', value: { name: 'x', schemaJson: '{"properties":{}}' } },
        }),
      },
    ],
  ])('that cannot be written is the fault of the caller: %s', async (_, request) => {
    await using server = await startWire(streamed(named(...hello)));
    expect((await failureOf(provider(server), request)).error).toMatchObject({
      remedy: 'fix-request',
      kind: 'invalid',
    });
    expect(server.requests).toEqual([]);
  });
});
