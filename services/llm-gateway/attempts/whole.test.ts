import { Code } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { UsageProvenance } from '#gen/ragmesh/common/v1/common_pb.ts';
import { MidStreamPolicy, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { doneOf, eventually, modelAt, startTestGateway, textOf, usagesOf } from '../testing/gateway.ts';
import {
  completion,
  content,
  eitherWay,
  failed,
  finish,
  inOnePiece,
  type Responder,
  silence,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

const midStreamPolicy = MidStreamPolicy.HOLD_BACK;
const streams = streamed([content('in '), content('pieces'), finish('stop'), usage(10, 2)]);
const both = eitherWay(streams, inOnePiece(completion('in one piece', 'stop', 10, 3)));
/** The head, and the beginning of a reply that never ends. */
const stalls: Responder = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"choices":[{"message":{"content":"half of');
};

test('a caller that wants a completion whole gets it whole if the policy of the model allows it, and streamed otherwise', async () => {
  await using server = await startFakeProvider(both);
  await using gateway = await startTestGateway({
    models: [modelAt(server.url, 'whole', { whole: true }), modelAt(server.url, 'streams')],
  });
  const asked = await gateway.ask({ model: 'whole', midStreamPolicy });
  expect([textOf(asked), doneOf(asked).outcome]).toEqual(['in one piece', Outcome.COMPLETE]);
  expect(usagesOf(asked)).toMatchObject([
    { promptTokens: 10n, completionTokens: 3n, provenance: UsageProvenance.REPORTED },
  ]);
  expect(textOf(await gateway.ask({ model: 'streams', midStreamPolicy }))).toBe('in pieces');
  expect(textOf(await gateway.ask({ model: 'whole', midStreamPolicy: MidStreamPolicy.FAIL }))).toBe('in pieces');
  expect(server.requests).toMatchObject([{ stream: false }, { stream: true }, { stream: true }]);
  expect(server.requests[0]).not.toHaveProperty('stream_options');
});

test('a reply in one piece takes longer than the clocks of tokens allow, and has one deadline', async () => {
  const late: Responder = (response, request, body) => void setTimeout(() => both(response, request, body), 300);
  await using server = await startFakeProvider(late);
  await using gateway = await startTestGateway({
    models: [
      modelAt(server.url, 'patient', {
        whole: true,
        timeouts: { headersMs: 50, firstTokenMs: 50, idleMs: 50, wholeMs: 60_000 },
      }),
      modelAt(server.url, 'hurried', { whole: true, timeouts: { wholeMs: 50 } }),
    ],
    maxAttempts: 1,
  });
  expect(textOf(await gateway.ask({ model: 'patient', midStreamPolicy }))).toBe('in one piece');
  await expect(gateway.ask({ model: 'hurried', midStreamPolicy })).rejects.toMatchObject({ code: Code.Unavailable });
});

test.each([
  ['silence', silence],
  ['a stall in the middle', stalls],
  ['a refusal', failed(503, {})],
  ['a piece that is cut', streamed(['{"choices":[{"message":{"content":"half of'])],
  ['a piece without an end', inOnePiece({ choices: [{ message: { content: 'half of' }, finish_reason: null }] })],
])('after %s the next target answers, and nothing of the first one is shown', async (_, fault) => {
  await using bad = await startFakeProvider(fault);
  await using good = await startFakeProvider(both);
  await using gateway = await startTestGateway({
    models: [
      modelAt(bad.url, 'bad', { whole: true, timeouts: { wholeMs: 100 } }),
      modelAt(good.url, 'good', { whole: true }),
    ],
    routes: [{ name: 'route', models: ['bad', 'good'] }],
    maxAttempts: 2,
  });
  const responses = await gateway.ask({ model: 'route', midStreamPolicy, requestId: 'whole' });
  expect([textOf(responses), doneOf(responses).attemptCount]).toEqual(['in one piece', 2]);
  await eventually(() => expect(gateway.entries.has('whole')).toBe(true));
});

test('a slow whole reply is hedged', async () => {
  await using slow = await startFakeProvider(silence);
  await using quick = await startFakeProvider(both);
  await using gateway = await startTestGateway({
    models: [modelAt(slow.url, 'slow', { whole: true }), modelAt(quick.url, 'quick', { whole: true })],
    routes: [{ name: 'route', models: ['slow', 'quick'] }],
    hedging: { delayMs: 40, maxShare: 1 },
  });
  expect(textOf(await gateway.ask({ model: 'route', midStreamPolicy }))).toBe('in one piece');
  await slow.brokenOff;
});

test('a model that always streams cannot be asked for one piece', async () => {
  const settings = { api_key: 'sk-test', model: 'qwen-plus' };
  const models = [{ name: 'qwen', adapter: 'dashscope', settings, whole: true }];
  await expect(startTestGateway({ models })).rejects.toThrow('llm_gateway.models[0].whole: is set, but the adapter');
});
