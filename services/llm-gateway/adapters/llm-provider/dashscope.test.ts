import { describe, expect, test } from 'vitest';
import { Outcome, ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import {
  eventStream,
  jsonReply,
  loadAdapter,
  richRequest,
  type SentRequest,
  scriptedFetch,
} from '../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { api_key: 'sk-test', model: 'qwen-plus' };

// A stream as in alibabacloud.com/help/en/model-studio/deep-thinking ("OpenAI compatible", streamed), with include_usage.
const chunk = (delta: object, finish: string | null = null) => ({
  choices: [{ delta, finish_reason: finish, index: 0, logprobs: null }],
  object: 'chat.completion.chunk',
  usage: null,
  created: 1745485391,
  system_fingerprint: null,
  model: 'qwen-plus',
  id: 'chatcmpl-e2edaf2c-8aaf-9e54-90e2-b21dd5045503',
});
const counted = {
  choices: [],
  object: 'chat.completion.chunk',
  usage: {
    prompt_tokens: 10,
    completion_tokens: 360,
    total_tokens: 370,
    completion_tokens_details: { reasoning_tokens: 338 },
    prompt_tokens_details: { cached_tokens: 0, cache_creation_input_tokens: 8 },
  },
};
const answer = eventStream([
  chunk({ content: null, role: 'assistant', reasoning_content: '' }),
  chunk({ content: null, reasoning_content: '嗯，' }),
  chunk({ content: '五天。', reasoning_content: null }),
  chunk({ content: '', reasoning_content: null }, 'stop'),
  counted,
  'data: [DONE]\n\n',
]);

llmProviderSuite('dashscope', () => loadAdapter('dashscope', settings, scriptedFetch(answer).fetch));

test('the request holds what was asked for', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const [started] = await collect((await loadAdapter('dashscope', settings, fetch)).generate(richRequest(), never));
  expect(started).toMatchObject({ warnings: ['frequency_penalty: dashscope has none'] });
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "enable_thinking": true,
          "max_tokens": 500,
          "messages": [
            {
              "content": "Be kind.",
              "role": "system",
            },
            {
              "content": [
                {
                  "text": "退货？",
                  "type": "text",
                },
                {
                  "image_url": {
                    "url": "https://shop.example/lamp.png",
                  },
                  "type": "image_url",
                },
                {
                  "image_url": {
                    "url": "data:image/png;base64,iVBORw==",
                  },
                  "type": "image_url",
                },
              ],
              "role": "user",
            },
            {
              "content": null,
              "role": "assistant",
              "tool_calls": [
                {
                  "function": {
                    "arguments": "{"id":7}",
                    "name": "order",
                  },
                  "id": "c1",
                  "type": "function",
                },
              ],
            },
            {
              "content": "shipped",
              "role": "tool",
              "tool_call_id": "c1",
            },
            {
              "content": "And now?",
              "role": "user",
            },
          ],
          "model": "qwen-plus",
          "parallel_tool_calls": false,
          "presence_penalty": -0.2,
          "response_format": {
            "json_schema": {
              "name": "answer",
              "schema": {
                "type": "object",
              },
              "strict": false,
            },
            "type": "json_schema",
          },
          "seed": 42,
          "stop": [
            "END",
          ],
          "stream": true,
          "stream_options": {
            "include_usage": true,
          },
          "temperature": 0.7,
          "thinking_budget": 1024,
          "tool_choice": {
            "function": {
              "name": "order",
            },
            "type": "function",
          },
          "tools": [
            {
              "function": {
                "description": "finds an order",
                "name": "order",
                "parameters": {
                  "type": "object",
                },
              },
              "type": "function",
            },
          ],
          "top_p": 0.9,
        },
        "headers": {
          "accept": "application/json",
          "authorization": "Bearer sk-test",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions",
      },
    ]
  `);
});

test.each([
  [{}, 'https://dashscope.aliyuncs.com/compatible-mode/v1/chat/completions'],
  [{ region: 'intl' }, 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions'],
  [{ region: 'us' }, 'https://dashscope-us.aliyuncs.com/compatible-mode/v1/chat/completions'],
  [
    { base_url: 'https://ws1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1' },
    'https://ws1.cn-beijing.maas.aliyuncs.com/compatible-mode/v1/chat/completions',
  ],
])('the address is that of the region: %j', async (where, url) => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('dashscope', { ...settings, ...where }, fetch)).generate(requestOf(), never));
  expect(sent[0]?.url).toBe(url);
});

test('a region that is none stops the start', async () => {
  await expect(loadAdapter('dashscope', { ...settings, region: 'mars' })).rejects.toThrow('settings.region');
});

test('reasoning comes while the content is null, and is counted inside the completion', async () => {
  const provider = await loadAdapter('dashscope', settings, scriptedFetch(answer).fetch);
  expect((await collect(provider.generate(requestOf(), never))).slice(1)).toEqual([
    { kind: 'reasoning', text: '嗯，' },
    { kind: 'text', text: '五天。' },
    { kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' },
    {
      kind: 'usage',
      usage: {
        promptTokens: 10,
        completionTokens: 360,
        cachedPromptTokens: 0,
        cacheWriteTokens: 8,
        reasoningTokens: 338,
      },
    },
  ]);
});

test.each([
  [ReasoningEffort.NONE, { enable_thinking: false }],
  [ReasoningEffort.LOW, { enable_thinking: true, thinking_budget: 1024 }],
  [ReasoningEffort.HIGH, { enable_thinking: true }],
])('thinking is switched by its own fields (effort %i)', async (reasoningEffort, fields) => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('dashscope', settings, fetch)).generate(requestOf({ reasoningEffort }), never));
  expect(sent[0]?.body).toMatchObject(fields);
  expect(sent[0]?.body).not.toHaveProperty('reasoning_effort');
});

test('a beginning is marked as partial, and nothing is thought', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('dashscope', settings, fetch)).generate(requestOf({ prefix: '退款' }), never));
  const { messages, ...body } = (sent[0] as SentRequest).body as { messages: object[] };
  expect(messages.at(-1)).toEqual({ role: 'assistant', content: '退款', partial: true });
  expect(body).toMatchObject({ enable_thinking: false });
});

describe('of its errors (alibabacloud.com/help/en/model-studio/error-code)', () => {
  const error = (code: string, message = 'text') => ({
    error: { message, type: code, param: null, code },
    request_id: 'c2cf8d6d-1f8b-9bbd-8cf5-54ad5f8a7a4d',
  });

  test.each([
    [400, 'Arrearage', 'elsewhere', 'quota'],
    [401, 'invalid_api_key', 'elsewhere', 'auth'],
    [403, 'AccessDenied.Unpurchased', 'elsewhere', 'auth'],
    [404, 'model_not_found', 'elsewhere', 'model-unknown'],
    [429, 'Throttling.RateQuota', 'retry', 'rate-limited'],
    [429, 'limit_burst_rate', 'retry', 'rate-limited'],
    [429, 'insufficient_quota', 'elsewhere', 'quota'],
    [500, 'InternalError.Algo', 'retry', 'broken'],
    [503, 'ModelServingError', 'retry', 'overloaded'],
  ])('%i %s', async (status, code, remedy, kind) => {
    const provider = await loadAdapter('dashscope', settings, scriptedFetch(jsonReply(status, error(code))).fetch);
    expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy, kind, code });
  });

  test.each(['DataInspectionFailed', 'data_inspection_failed'])('%s is the filter', async (code) => {
    const provider = await loadAdapter('dashscope', settings, scriptedFetch(jsonReply(400, error(code))).fetch);
    expect((await collect(provider.generate(requestOf(), never))).at(-1)).toMatchObject({ outcome: Outcome.FILTERED });
  });
});
