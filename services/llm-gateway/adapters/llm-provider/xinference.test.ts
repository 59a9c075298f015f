import { expect, test } from 'vitest';
import { ReasoningEffort } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, richRequest, scriptedFetch } from '../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { base_url: 'http://xinference:9997/v1', model: 'qwen3' };

// A stream as xinference/api/restful_api.py gives it to sse_starlette: CRLF, and pings as comments.
const sse = (value: object) => `data: ${JSON.stringify(value)}\r\n\r\n`;
const ping = ': ping - 2026-11-22 10:00:00.000000+00:00\r\n\r\n';
const chunk = (delta: object, finish: string | null = null) =>
  sse({
    id: 'chat7d0f',
    model: 'qwen3',
    created: 1760000000,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
const answer = eventStream([
  ping,
  chunk({ role: 'assistant', content: '' }),
  chunk({ reasoning_content: 'hm', content: null }),
  ping,
  chunk({ content: 'Five days' }),
  chunk({ content: '' }, 'stop'),
  sse({
    object: 'chat.completion.chunk',
    choices: [],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  }),
  'data: [DONE]\r\n\r\n',
]);

llmProviderSuite('xinference', () => loadAdapter('xinference', settings, scriptedFetch(answer).fetch));

test('the request holds what was asked for, and the schema as a wish', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const [started] = await collect((await loadAdapter('xinference', settings, fetch)).generate(richRequest(), never));
  expect(started).toMatchObject({ warnings: ['parallel_tool_calls: xinference has none'] });
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "chat_template_kwargs": {
            "enable_thinking": true,
          },
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
          "model": "qwen3",
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
        "url": "http://xinference:9997/v1/chat/completions",
      },
    ]
  `);
});

test('thinking is on or off', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const provider = await loadAdapter('xinference', settings, fetch);
  await collect(provider.generate(requestOf({ reasoningEffort: ReasoningEffort.NONE }), never));
  expect(sent[0]?.body).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
});

test('an error inside the stream is a bare string', async () => {
  // restful_api.py: yield dict(data=json.dumps({"error": str(ex)}))
  const reply = eventStream([
    chunk({ content: 'a' }),
    sse({ error: '[address=0.0.0.0:41, pid=7] CUDA out of memory' }),
  ]);
  const provider = await loadAdapter('xinference', settings, scriptedFetch(reply).fetch);
  const error = await providerErrorOf(provider.generate(requestOf(), never));
  expect(error).toMatchObject({ remedy: 'retry', kind: 'broken', code: '' });
  expect(error.message).not.toContain('CUDA');
});

test.each([
  [400, { detail: 'Model not found in the model list, uid: qwen3' }, 'elsewhere', 'model-unknown'],
  [401, { detail: 'Could not validate credentials' }, 'elsewhere', 'auth'],
  [429, { detail: 'Rate limit reached' }, 'retry', 'rate-limited'],
  [499, { detail: 'Client cancelled' }, 'retry', 'broken'],
  [500, { detail: 'Remote server closed' }, 'retry', 'broken'],
  [503, { detail: 'Service unavailable' }, 'retry', 'overloaded'],
])('an error of the server is a detail: %i %j', async (status, body, remedy, kind) => {
  const provider = await loadAdapter('xinference', settings, scriptedFetch(jsonReply(status, body)).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({ remedy, kind, status });
});
