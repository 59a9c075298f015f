import { expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, richRequest, scriptedFetch } from '../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { base_url: 'http://tgi:8080/v1' };

// A stream as router/src/server.rs (chat_completions) writes it; the empty comment is axum's keep-alive.
const chunk = (delta: object, finish: string | null = null) => ({
  object: 'chat.completion.chunk',
  id: '',
  created: 1760000000,
  model: 'Qwen/Qwen2.5-7B-Instruct',
  system_fingerprint: '3.3.4-native',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
});
const answer = eventStream([
  ':\n\n',
  chunk({ role: 'assistant', content: 'Five' }),
  chunk({ role: 'assistant', content: ' days' }),
  chunk({ role: 'assistant', content: '' }, 'stop'),
  { object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } },
  'data: [DONE]\n\n',
]);

llmProviderSuite('tgi', () => loadAdapter('tgi', settings, scriptedFetch(answer).fetch));

test('the request holds what was asked for, a schema as a grammar, and a warning about tools', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const [started] = await collect((await loadAdapter('tgi', settings, fetch)).generate(richRequest(), never));
  expect(started).toMatchObject({
    model: 'tgi',
    warnings: [
      'tools: tgi may ignore them and answer without',
      'parallel_tool_calls: tgi has none',
      'reasoning_effort: tgi has none',
    ],
  });
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
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
          "model": "tgi",
          "presence_penalty": -0.2,
          "response_format": {
            "type": "json",
            "value": {
              "type": "object",
            },
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
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "http://tgi:8080/v1/chat/completions",
      },
    ]
  `);
});

test('an error inside the stream is an error, though [DONE] follows', async () => {
  // server.rs: InferError as an event, then "[DONE]".
  const error = { error: { message: 'Request failed during generation', http_status_code: 424 } };
  const reply = eventStream([chunk({ content: 'a' }), error, 'data: [DONE]\n\n']);
  const provider = await loadAdapter('tgi', settings, scriptedFetch(reply).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy: 'retry', status: 424 });
});

test.each([
  [
    422,
    { error: 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096', error_type: 'validation' },
    'fix-request',
    'too-long',
  ],
  [422, { error: 'Template error', error_type: 'template_error' }, 'fix-request', 'invalid'],
  [424, { error: 'Request failed during generation', error_type: 'generation' }, 'retry', 'broken'],
  [429, { error: 'Model is overloaded', error_type: 'overloaded' }, 'retry', 'overloaded'],
  [500, { error: 'Incomplete generation', error_type: 'incomplete_generation' }, 'retry', 'broken'],
] as const)('%i %j', async (status, body, remedy, kind) => {
  const provider = await loadAdapter('tgi', settings, scriptedFetch(jsonReply(status, body)).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy, kind, status });
});
