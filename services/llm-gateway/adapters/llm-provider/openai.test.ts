import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { MessageRole, MessageSchema, Outcome, ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, richRequest, scriptedFetch } from '../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { api_key: 'sk-test', model: 'gpt-4.1-mini' };

// A stream as in platform.openai.com/docs/api-reference/chat-streaming, with include_usage and obfuscation.
const head = {
  id: 'chatcmpl-123',
  object: 'chat.completion.chunk',
  created: 1694268190,
  model: 'gpt-4.1-mini-2025-04-14',
  service_tier: 'default',
  system_fingerprint: 'fp_44709d6fcb',
};
const chunk = (delta: object, finish: string | null = null) => ({
  ...head,
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  usage: null,
  obfuscation: 'w7GqVfb0',
});
const answer = eventStream([
  chunk({ role: 'assistant', content: '', refusal: null }),
  chunk({ content: 'Hello' }),
  chunk({ content: '!' }),
  chunk({}, 'stop'),
  {
    ...head,
    choices: [],
    usage: {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0 },
    },
    obfuscation: '',
  },
  'data: [DONE]\n\n',
]);

llmProviderSuite('openai', () => loadAdapter('openai', settings, scriptedFetch(answer).fetch));

test('the request holds what was asked for, the key in a header, and nothing out of the environment', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const provider = await loadAdapter('openai', { ...settings, project: 'proj_1', service_tier: 'priority' }, fetch);
  const [started] = await collect(provider.generate(richRequest(), never));
  expect(started).toEqual({
    kind: 'started',
    model: 'gpt-4.1-mini',
    warnings: ['reasoning_effort: openai has none for gpt-4.1-mini'],
  });
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "frequency_penalty": 0.1,
          "max_completion_tokens": 500,
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
          "model": "gpt-4.1-mini",
          "parallel_tool_calls": false,
          "presence_penalty": -0.2,
          "prompt_cache_key": "t-5f3a",
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
          "safety_identifier": "t-5f3a",
          "seed": 42,
          "service_tier": "priority",
          "stop": [
            "END",
          ],
          "stream": true,
          "stream_options": {
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
          "authorization": "Bearer sk-test",
          "content-type": "application/json",
          "openai-project": "proj_1",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "https://api.openai.com/v1/chat/completions",
      },
    ]
  `);
});

const bodyOf = async (model: string, effort: ReasoningEffort) => {
  const { fetch, sent } = scriptedFetch(answer);
  const provider = await loadAdapter('openai', { ...settings, model }, fetch);
  const messages = [create(MessageSchema, { role: MessageRole.SYSTEM, text: 'Be kind.' })];
  const request = requestOf({ messages, temperature: 0.5, presencePenalty: 0.5, reasoningEffort: effort });
  const [started] = await collect(provider.generate(request, never));
  return { started, body: sent[0]?.body as { messages: { role: string }[]; [field: string]: unknown } };
};

describe('a model that thinks', () => {
  test.each([
    ['o4-mini', ReasoningEffort.LOW],
    ['gpt-5-mini', ReasoningEffort.UNSPECIFIED],
    ['gpt-5.4', ReasoningEffort.HIGH],
  ])('takes no sampling parameters, which is told, and instructions as the developer: %s', async (model, effort) => {
    const { body, started } = await bodyOf(model, effort);
    expect(body).not.toHaveProperty('temperature');
    expect(body).not.toHaveProperty('presence_penalty');
    expect(body.messages[0]?.role).toBe('developer');
    expect(started).toMatchObject({
      warnings: [`temperature: openai has none for ${model}`, `presence_penalty: openai has none for ${model}`],
    });
  });

  test.each([ReasoningEffort.NONE, ReasoningEffort.UNSPECIFIED])(
    'accepts them if it does not think (effort %i)',
    async (effort) => {
      const { body, started } = await bodyOf('gpt-5.4-mini', effort);
      expect(body).toMatchObject({ temperature: 0.5, presence_penalty: 0.5 });
      expect(started).toMatchObject({ warnings: [] });
    },
  );
});

test('a refusal of a structured answer is filtered', async () => {
  // platform.openai.com/docs/guides/structured-outputs#refusals
  const reply = eventStream([
    chunk({ role: 'assistant', content: null, refusal: '' }),
    chunk({ refusal: "I'm sorry, I cannot assist with that request." }),
    chunk({}, 'stop'),
  ]);
  const provider = await loadAdapter('openai', settings, scriptedFetch(reply).fetch);
  expect((await collect(provider.generate(requestOf(), never))).at(-1)).toEqual({
    kind: 'end',
    outcome: Outcome.FILTERED,
    reason: 'refusal',
  });
});

test('a quota that is used up is not waited for, and a rate limit says how long', async () => {
  // platform.openai.com/docs/guides/error-codes and /guides/rate-limits (headers).
  const quota = jsonReply(
    429,
    {
      error: {
        message: 'You exceeded your current quota',
        type: 'insufficient_quota',
        param: null,
        code: 'insufficient_quota',
      },
    },
    { 'x-should-retry': 'false' },
  );
  const rate = jsonReply(
    429,
    { error: { message: 'Rate limit reached', type: 'tokens', param: null, code: 'rate_limit_exceeded' } },
    { 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '6m0s', 'x-ratelimit-remaining-requests': '59' },
  );
  const { fetch, sent } = scriptedFetch(quota, rate);
  const provider = await loadAdapter('openai', settings, fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({
    remedy: 'elsewhere',
    kind: 'quota',
    status: 429,
    code: 'insufficient_quota',
  });
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({
    remedy: 'retry',
    kind: 'rate-limited',
    retryAfterMs: 360_000,
  });
  expect(sent).toHaveLength(2);
});
