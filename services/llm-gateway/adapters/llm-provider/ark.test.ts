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
const settings = { api_key: 'ark-key', model: 'doubao-seed-1-6-250615' };

// A stream as in volcengine.com/docs/82379/1494384, with chunk_include_usage: counts are cumulative.
const counted = (completion: number, reasoning: number) => ({
  completion_tokens: completion,
  prompt_tokens: 22,
  total_tokens: 22 + completion,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: reasoning },
});
const chunk = (delta: object, usage: object, finish: string | null = null) => ({
  choices: [{ delta: { role: 'assistant', ...delta }, finish_reason: finish, index: 0 }],
  created: 1742632436,
  id: '021742632435712396f12d018b5d576a7a55349c2eba0815061fc',
  model: 'doubao-seed-1-6-250615',
  service_tier: 'default',
  object: 'chat.completion.chunk',
  usage,
});
const answer = eventStream([
  chunk({ content: '', reasoning_content: '用户' }, counted(1, 1)),
  chunk({ content: '五' }, counted(2, 1)),
  chunk({ content: '天。' }, counted(3, 1)),
  chunk({ content: '' }, counted(3, 1), 'stop'),
  { choices: [], object: 'chat.completion.chunk', usage: counted(3, 1) },
  'data: [DONE]\n\n',
]);

llmProviderSuite('ark', () => loadAdapter('ark', settings, scriptedFetch(answer).fetch));

test('the request holds what was asked for', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const [started] = await collect((await loadAdapter('ark', settings, fetch)).generate(richRequest(), never));
  expect(started).toMatchObject({
    warnings: ['seed: ark has none for doubao-seed-1-6-250615', 'stop: ark has none for doubao-seed-1-6-250615'],
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
          "model": "doubao-seed-1-6-250615",
          "parallel_tool_calls": false,
          "presence_penalty": -0.2,
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
          "stream": true,
          "stream_options": {
            "chunk_include_usage": true,
            "include_usage": true,
          },
          "temperature": 0.7,
          "thinking": {
            "type": "enabled",
          },
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
          "authorization": "Bearer ark-key",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "https://ark.cn-beijing.volces.com/api/v3/chat/completions",
      },
    ]
  `);
});

test.each([
  ['doubao-1-5-pro-32k-250115', { max_tokens: 9, stop: ['END'], temperature: 0.5, presence_penalty: 0.5 }],
  ['doubao-seed-1-8-251228', { max_completion_tokens: 9, temperature: 0.5 }],
  ['doubao-seed-2-0-pro', { max_completion_tokens: 9 }],
])('what a model does not take is not sent: %s', async (model, fields) => {
  const { fetch, sent } = scriptedFetch(answer);
  const request = requestOf({ maxTokens: 9, stop: ['END'], temperature: 0.5, presencePenalty: 0.5 });
  await collect((await loadAdapter('ark', { ...settings, model }, fetch)).generate(request, never));
  const {
    model: _,
    messages,
    stream,
    stream_options,
    ...rest
  } = (sent[0] as SentRequest).body as Record<string, unknown>;
  expect(rest).toEqual(fields);
});

test('counts come with every chunk, so that a stream that breaks was counted', async () => {
  const cut = eventStream([chunk({ content: '五' }, counted(2, 1))]);
  const provider = await loadAdapter('ark', settings, scriptedFetch(cut).fetch);
  expect((await collect(provider.generate(requestOf(), never))).slice(1)).toMatchObject([
    { kind: 'text', text: '五' },
    { kind: 'usage', usage: { promptTokens: 22, completionTokens: 2, reasoningTokens: 1 } },
  ]);
});

test.each([
  [ReasoningEffort.NONE, { thinking: { type: 'disabled' } }],
  [ReasoningEffort.HIGH, { thinking: { type: 'enabled' }, reasoning_effort: 'high' }],
])('thinking is switched by its own field (effort %i)', async (reasoningEffort, fields) => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('ark', settings, fetch)).generate(requestOf({ reasoningEffort }), never));
  expect(sent[0]?.body).toMatchObject(fields);
});

// volcengine.com/docs/82379/1299023
const error = (code: string) => ({
  error: { code, message: 'text Request id: 0217', param: '', type: 'TooManyRequests' },
});
test.each([
  [429, 'RateLimitExceeded.EndpointRPMExceeded', 'retry', 'rate-limited'],
  [429, 'ModelAccountTpmRateLimitExceeded', 'retry', 'rate-limited'],
  [429, 'AccountRateLimitExceeded', 'retry', 'rate-limited'],
  [429, 'RequestBurstTooFast', 'retry', 'rate-limited'],
  [429, 'InflightBatchsizeExceeded', 'retry', 'rate-limited'],
  [429, 'ServerOverloaded', 'retry', 'overloaded'],
  [429, 'QuotaExceeded', 'elsewhere', 'quota'],
  [429, 'SetLimitExceeded', 'elsewhere', 'quota'],
  [403, 'AccountOverdueError', 'elsewhere', 'quota'],
  [404, 'ModelNotOpen', 'elsewhere', 'model-unknown'],
  [401, 'AuthenticationError', 'elsewhere', 'auth'],
])('%i %s is told by its code', async (status, code, remedy, kind) => {
  const provider = await loadAdapter('ark', settings, scriptedFetch(jsonReply(status, error(code))).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy, kind, code });
});

test.each(['SensitiveContentDetected', 'InputTextRiskDetection'])('%s is the filter', async (code) => {
  const provider = await loadAdapter('ark', settings, scriptedFetch(jsonReply(400, error(code))).fetch);
  expect((await collect(provider.generate(requestOf(), never))).at(-1)).toMatchObject({
    outcome: Outcome.FILTERED,
    reason: code,
  });
});
