import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { modelAt, startTestGateway } from '../testing/gateway.ts';
import { startFakeProvider, streamed } from '../testing/provider-server.ts';

const chunk = (delta: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const answer = streamed([chunk({ content: 'ok' }), chunk({}, 'stop'), 'data: [DONE]\n\n']);
const warningsOf = (responses: Awaited<ReturnType<Awaited<ReturnType<typeof startTestGateway>>['ask']>>) =>
  responses.flatMap(({ event }) => (event.case === 'started' ? event.value.warnings : []));

test('a model gets the fields that its configuration lists, and does without the others, with a warning', async () => {
  await using provider = await startFakeProvider(answer);
  const configured = modelAt(provider.url, 'listed', {
    requestFields: ['top_k', 'odd_field'],
    extraFields: { chat_template_kwargs: { enable_thinking: false }, top_k: 5, temperature: 2 },
  });
  await using gateway = await startTestGateway({ models: [configured, modelAt(provider.url, 'plain')] });
  const extraJson = JSON.stringify({ top_k: 20, min_p: 0.5 });

  const listed = await gateway.ask({ model: 'listed', extraJson, temperature: 0.5 });
  expect(provider.requests[0]).toMatchObject({
    top_k: 20,
    chat_template_kwargs: { enable_thinking: false },
    temperature: 0.5,
    model: 'listed-at-provider',
  });
  expect(provider.requests[0]).not.toHaveProperty('min_p');
  expect(warningsOf(listed)).toEqual([expect.stringContaining('min_p')]);

  const plain = await gateway.ask({ model: 'plain', extraJson });
  expect(provider.requests[1]).not.toHaveProperty('top_k');
  expect(warningsOf(plain)).toHaveLength(2);
});

test('the body of a request cannot be replaced by them', async () => {
  await using provider = await startFakeProvider(answer);
  const own = ['model', 'messages', 'stream', 'stream_options'];
  await using gateway = await startTestGateway({ models: [modelAt(provider.url, 'm', { requestFields: own })] });
  await gateway.ask({
    extraJson: JSON.stringify({ model: 'other', messages: [], stream: false, stream_options: null }),
  });
  expect(provider.requests[0]).toMatchObject({
    model: 'm-at-provider',
    messages: [{ role: 'user' }],
    stream: true,
    stream_options: { include_usage: true },
  });
});

test('vLLM has its own list', async () => {
  await using provider = await startFakeProvider(answer);
  await using gateway = await startTestGateway({ models: [modelAt(provider.url, 'v', { adapter: 'vllm' })] });
  const fields = { top_k: 3, chat_template_kwargs: { thinking: true } };
  expect(warningsOf(await gateway.ask({ extraJson: JSON.stringify(fields) }))).toEqual([]);
  expect(provider.requests[0]).toMatchObject(fields);
});

test.each([
  ['{"flavour":1}', 'flavour'],
  ['{"top_kk":1}', 'top_kk'],
  ['[1]', 'extra_json'],
  ['{', 'extra_json'],
  [JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`f${at}`, 1]))), 'extra_json'],
])('what no one knows is refused: %s', async (extraJson, field) => {
  await using gateway = await startTestGateway({ models: [{ adapter: 'extractive' }] });
  const error = await gateway.ask({ extraJson }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: Code.InvalidArgument, message: expect.stringContaining(field) });
  expect(errorInfoOf(error)?.reason).toBe('FIELD_INVALID');
});

test('a model gets its reasoning and the own values of its calls back if it is so configured', async () => {
  await using provider = await startFakeProvider(answer);
  const models = [
    modelAt(provider.url, 'needs', { reasoningField: 'reasoning_content', callExtraContent: true }),
    modelAt(provider.url, 'newer', { reasoningField: 'reasoning' }),
    modelAt(provider.url, 'refuses'),
  ];
  await using gateway = await startTestGateway({ models });
  const extraContentJson = '{"google":{"thought_signature":"签=="}}';
  const messages = [
    {
      role: MessageRole.ASSISTANT,
      reasoning: '我想',
      toolCalls: [{ id: 'c', name: 'f', argumentsJson: '{}', extraContentJson }],
    },
    { role: MessageRole.TOOL, text: '1', toolCallId: 'c' },
  ];
  const sent = async (model: string, at: number) => {
    const responses = await gateway.ask({ model, messages });
    const { messages: [message] = [] } = provider.requests[at] as { messages?: Record<string, unknown>[] };
    return { message, warnings: warningsOf(responses) };
  };
  expect(await sent('needs', 0)).toMatchObject({
    message: { reasoning_content: '我想', tool_calls: [{ id: 'c', extra_content: JSON.parse(extraContentJson) }] },
    warnings: [],
  });
  expect((await sent('newer', 1)).message).toMatchObject({ reasoning: '我想' });
  const refused = await sent('refuses', 2);
  expect(Object.keys(refused.message ?? {})).toEqual(['role', 'content', 'tool_calls']);
  expect(refused.message?.tool_calls).not.toHaveProperty('0.extra_content');
  expect(refused.warnings).toEqual([expect.stringContaining('reasoning_field')]);
});

test('the own value of a call leaves the gateway with the call', async () => {
  const call = { index: 0, id: 'c', function: { name: 'f', arguments: '{}' }, extra_content: { google: { s: '1' } } };
  const huge = { ...call, index: 1, id: 'd', extra_content: { s: 'x'.repeat(70_000) } };
  await using provider = await startFakeProvider(
    streamed([chunk({ tool_calls: [call] }), chunk({ tool_calls: [huge] }), chunk({}, 'tool_calls')]),
  );
  await using gateway = await startTestGateway({ models: [modelAt(provider.url)] });
  const parts = (await gateway.ask()).flatMap(({ event }) => (event.case === 'toolCallDelta' ? [event.value] : []));
  expect(parts.map(({ id, extraContentJson }) => [id, extraContentJson])).toEqual([
    ['c', '{"google":{"s":"1"}}'],
    ['d', ''],
  ]);
});
