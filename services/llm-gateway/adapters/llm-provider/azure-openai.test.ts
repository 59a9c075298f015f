import { expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { llmProviderSuite, providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, jsonReply, loadAdapter, richRequest, scriptedFetch } from '../../testing/fetch.ts';

const never = new AbortController().signal;
const settings = { endpoint: 'https://shop.openai.azure.com/', api_key: 'azure-key', deployment: 'gpt-4.1' };

// A stream as in learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter ("Streaming"): the first chunk reports on the prompt.
const safe = { hate: { filtered: false, severity: 'safe' }, violence: { filtered: false, severity: 'safe' } };
const promptResults = {
  id: '',
  object: '',
  created: 0,
  model: '',
  prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
  choices: [],
  usage: null,
};
const chunk = (delta: object, finish: string | null = null, results: object = safe) => ({
  id: 'chatcmpl-7rAJvsS1QQCDuZYDDdQuMJVMV3x3N',
  object: 'chat.completion.chunk',
  created: 1692905411,
  model: 'gpt-4.1',
  choices: [{ index: 0, finish_reason: finish, delta, content_filter_results: results }],
  usage: null,
});
const counted = { choices: [], usage: { prompt_tokens: 12, completion_tokens: 4, total_tokens: 16 } };
const answer = eventStream([
  promptResults,
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'Five days' }),
  chunk({}, 'stop'),
  counted,
  'data: [DONE]\n\n',
]);

llmProviderSuite('azure-openai', () => loadAdapter('azure-openai', settings, scriptedFetch(answer).fetch));

test('the v1 API: the deployment is the model, the key has its own header', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  await collect((await loadAdapter('azure-openai', settings, fetch)).generate(richRequest(), never));
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
          "model": "gpt-4.1",
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
          "user": "t-5f3a",
        },
        "headers": {
          "accept": "application/json",
          "api-key": "azure-key",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "https://shop.openai.azure.com/openai/v1/chat/completions",
      },
    ]
  `);
});

test('the API of deployments: in the path, with a version, and a token in the place of the key', async () => {
  const { fetch, sent } = scriptedFetch(answer);
  const { endpoint } = settings;
  const classic = { endpoint, access_token: 'entra', deployment: 'small model', api_version: '2024-10-21' };
  const request = requestOf({ tenantTag: 't-5f3a' });
  await collect((await loadAdapter('azure-openai', { ...classic, model: 'gpt-4.1' }, fetch)).generate(request, never));
  expect(sent).toMatchInlineSnapshot(`
    [
      {
        "body": {
          "messages": [
            {
              "content": "How long does a refund to a credit card take?",
              "role": "user",
            },
          ],
          "model": "small model",
          "stream": true,
          "stream_options": {
            "include_usage": true,
          },
          "user": "t-5f3a",
        },
        "headers": {
          "accept": "application/json",
          "authorization": "Bearer entra",
          "content-type": "application/json",
          "user-agent": "ragmesh",
        },
        "method": "POST",
        "url": "https://shop.openai.azure.com/openai/deployments/small%20model/chat/completions?api-version=2024-10-21",
      },
    ]
  `);
});

test('the first chunk, which reports on the prompt, is neither usage nor text', async () => {
  const provider = await loadAdapter('azure-openai', settings, scriptedFetch(answer).fetch);
  const kinds = (await collect(provider.generate(requestOf(), never))).map(({ kind }) => kind);
  expect(kinds).toEqual(['started', 'text', 'end', 'usage']);
});

test('a filter of the answer ends it, one of the prompt refuses it; both are outcomes', async () => {
  const inAnswer = eventStream([promptResults, chunk({ content: 'How to' }), chunk({}, 'content_filter')]);
  // The same page, "Prompt filtered".
  const inPrompt = jsonReply(400, {
    error: {
      message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
      type: null,
      param: 'prompt',
      code: 'content_filter',
      status: 400,
      innererror: {
        code: 'ResponsibleAIPolicyViolation',
        content_filter_result: { hate: { filtered: true, severity: 'high' } },
      },
    },
  });
  const provider = await loadAdapter('azure-openai', settings, scriptedFetch(inAnswer, inPrompt).fetch);
  for (const _ of [inAnswer, inPrompt]) {
    expect((await collect(provider.generate(requestOf(), never))).at(-1)).toEqual({
      kind: 'end',
      outcome: Outcome.FILTERED,
      reason: 'content_filter',
    });
  }
});

test.each([
  [{ 'retry-after-ms': '340', 'retry-after': '1' }, 340],
  [{ 'x-ms-retry-after-ms': '2500' }, 2500],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '-1' }, 26_000],
])('a rate limit says how long to wait: %j', async (headers, retryAfterMs) => {
  // learn.microsoft.com/azure/ai-foundry/openai/how-to/quota; without a header the text has it.
  const reply = jsonReply(
    429,
    { error: { code: '429', message: 'Requests have exceeded the call rate limit. Please retry after 26 seconds.' } },
    headers as Record<string, string>,
  );
  const provider = await loadAdapter('azure-openai', settings, scriptedFetch(reply).fetch);
  expect(await providerErrorOf(provider.generate(requestOf(), never))).toMatchObject({
    remedy: 'retry',
    kind: 'rate-limited',
    retryAfterMs,
  });
});

test.each([[{ api_key: '' }], [{ access_token: 'both' }]])('a resource needs one credential: %j', async (wrong) => {
  await expect(loadAdapter('azure-openai', { ...settings, ...wrong })).rejects.toThrow('settings.api_key');
});
