import { expect, test } from 'vitest';
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
const settings = { base_url: 'http://vllm:8000/v1', model: 'Qwen/Qwen3-8B' };

// A stream as vllm/entrypoints/openai/serving_chat.py (chat_completion_stream_generator) writes it, with continuous_usage_stats.
const counted = (completion: number) => ({
  prompt_tokens: 9,
  total_tokens: 9 + completion,
  completion_tokens: completion,
  prompt_tokens_details: null,
});
const chunk = (delta: object, usage: object, finish: string | null = null) => ({
  id: 'chatcmpl-8f0c',
  object: 'chat.completion.chunk',
  created: 1760000000,
  model: 'Qwen/Qwen3-8B',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish, ...(finish ? { stop_reason: null } : {}) }],
  usage,
});
const answer = eventStream([
  chunk({ role: 'assistant', content: '' }, counted(0)),
  chunk({ reasoning: 'Refunds' }, counted(1)),
  chunk({ reasoning_content: '?' }, counted(2)),
  chunk({ content: 'Five days' }, counted(4)),
  chunk({ content: '' }, counted(5), 'stop'),
  { id: 'chatcmpl-8f0c', object: 'chat.completion.chunk', choices: [], usage: counted(5) },
  'data: [DONE]\n\n',
]);

llmProviderSuite('vllm', () => loadAdapter('vllm', settings, scriptedFetch(answer).fetch));

test("the request holds what was asked for, and the tenant's salt of the prefix cache", async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const provider = await loadAdapter('vllm', { ...settings, api_key: 'token-abc', priority: -5 }, fetch);
  const [started] = await collect(provider.generate(richRequest(), never));
  expect(started).toMatchObject({ warnings: [] });
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "cache_salt": "t-5f3a",
          "frequency_penalty": 0.1,
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
          "model": "Qwen/Qwen3-8B",
          "parallel_tool_calls": false,
          "presence_penalty": -0.2,
          "priority": -5,
          "reasoning_effort": "low",
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
            "continuous_usage_stats": true,
            "include_usage": true,
          },
          "temperature": 0.7,
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
          "authorization": "Bearer token-abc",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "http://vllm:8000/v1/chat/completions",
      },
    ]
  `);
});

test('without a key no key is sent, without a tenant no salt, without a priority none', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('vllm', settings, fetch)).generate(requestOf(), never));
  expect(sent[0]?.headers).not.toHaveProperty('authorization');
  expect(sent[0]?.body).not.toHaveProperty('cache_salt');
  expect(sent[0]?.body).not.toHaveProperty('priority');
});

test('the completion continues a partial answer', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('vllm', settings, fetch)).generate(requestOf({ prefix: 'A refund' }), never));
  const { messages, ...body } = (sent[0] as SentRequest).body as { messages: object[] };
  expect(messages.at(-1)).toEqual({ role: 'assistant', content: 'A refund' });
  expect(body).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
});

test('not to think is a matter of the template, how long is not', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const provider = await loadAdapter('vllm', settings, fetch);
  await collect(provider.generate(requestOf({ reasoningEffort: ReasoningEffort.NONE }), never));
  await collect(provider.generate(requestOf({ reasoningEffort: ReasoningEffort.MEDIUM }), never));
  expect(sent[0]?.body).toMatchObject({ chat_template_kwargs: { enable_thinking: false, thinking: false } });
  expect(sent[1]?.body).toMatchObject({ reasoning_effort: 'medium' });
});

test('reasoning is read under both of its names, and cached tokens without a report are not zero', async () => {
  const events = await collect(
    (await loadAdapter('vllm', settings, scriptedFetch(answer).fetch)).generate(requestOf(), never),
  );
  expect(events.filter(({ kind }) => kind === 'reasoning')).toHaveLength(2);
  expect(events.at(-1)).toMatchObject({ usage: { completionTokens: 5, cachedPromptTokens: undefined } });
});

test('an error inside the stream is an error, though [DONE] follows', async () => {
  // serving_chat.py: create_streaming_error_response, then "data: [DONE]".
  const error = { error: { message: 'EngineCore died', type: 'InternalServerError', param: null, code: 500 } };
  const reply = eventStream([chunk({ content: 'a' }, counted(1)), error, 'data: [DONE]\n\n']);
  const provider = await loadAdapter('vllm', settings, scriptedFetch(reply).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy: 'retry', status: 500 });
});

test('a generation that the server aborted was cut', async () => {
  const reply = eventStream([chunk({ content: 'a' }, counted(1)), chunk({}, counted(1), 'abort')]);
  const provider = await loadAdapter('vllm', settings, scriptedFetch(reply).fetch);
  expect((await collect(provider.generate(requestOf(), never))).at(-1)).toMatchObject({ outcome: Outcome.TRUNCATED });
});

test.each([
  [
    400,
    {
      error: {
        message: "This model's maximum context length is 4096 tokens.",
        type: 'BadRequestError',
        param: null,
        code: 400,
      },
    },
    'fix-request',
    'too-long',
  ],
  [
    404,
    { error: { message: 'The model `x` does not exist.', type: 'NotFoundError', param: null, code: 404 } },
    'elsewhere',
    'model-unknown',
  ],
  [401, { error: 'Unauthorized' }, 'elsewhere', 'auth'],
] as const)('%i %j', async (status, body, remedy, kind) => {
  const provider = await loadAdapter('vllm', settings, scriptedFetch(jsonReply(status, body)).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy, kind, status });
});
