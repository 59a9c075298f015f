import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { MidStreamPolicy, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { freePort } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import { casesOf, doneOf, modelAt, startTestGateway, textOf } from '../testing/gateway.ts';
import {
  content,
  cutAfter,
  doneMark,
  failed,
  finish,
  type Responder,
  startFakeProvider,
  streamed,
  usage,
} from '../testing/provider-server.ts';

const head = [content('half ')];
const whole = streamed([content('whole'), finish('stop'), usage(10, 2), doneMark]);

test('a refused connection fails over immediately, and is UNAVAILABLE without another target', async () => {
  await using server = await startFakeProvider(whole);
  const closed = `http://127.0.0.1:${await freePort()}/v1`;
  await using gateway = await startTestGateway({
    models: [modelAt(closed, 'a'), modelAt(server.url, 'b')],
    maxAttempts: 2,
  });
  expect(textOf(await gateway.ask())).toBe('whole');
  await expect(gateway.ask({ model: 'a' })).rejects.toMatchObject({ code: Code.Unavailable });
});

test('a wait that does not fit the caller’s time is not begun', async () => {
  await using server = await startFakeProvider(failed(429, { code: 'rate_limit_exceeded' }, { 'retry-after': '30' }));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
  const startedAt = performance.now();
  const error = ConnectError.from(await gateway.ask({}, { timeoutMs: 5000 }).then(undefined, (thrown) => thrown));
  expect(performance.now() - startedAt).toBeLessThan(stretched(2000));
  expect(error.code).toBe(Code.ResourceExhausted);
  expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBeGreaterThanOrEqual(29n);
  // The provider asked clients to back off: the next request is not sent.
  await expect(gateway.ask({}, { timeoutMs: 5000 })).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(server.requests).toHaveLength(1);
});

test('a target that rejects the partial answer starts again, after a reset', async () => {
  const rejects: Responder = (response, request, body) => {
    const last = (body as { messages: { role: string }[] }).messages.at(-1);
    return (last?.role === 'assistant' ? failed(400, { message: 'no prefill' }) : whole)(response, request, body);
  };
  await using broken = await startFakeProvider(cutAfter(head), rejects);
  await using other = await startFakeProvider(rejects);
  const models = [modelAt(broken.url, 'a'), modelAt(other.url, 'b', { prefill: true })];
  await using gateway = await startTestGateway({ models, breaker: { failures: 1000 } });
  const responses = await gateway.ask({ midStreamPolicy: MidStreamPolicy.CONTINUE });
  expect(casesOf(responses)).toEqual(['started', 'textDelta', 'reset', 'started', 'textDelta', 'usage', 'done']);
  expect(textOf(responses)).toBe('whole');
  expect([broken.requests.length, other.requests.length]).toEqual([1, 2]);
});

test('tool calls and structured output are not continued', async () => {
  const call = { index: 0, id: 'x', function: { name: 'find', arguments: '{"a"' } };
  const withCall = [content('Let me see. '), { choices: [{ index: 0, delta: { tool_calls: [call] } }] }];
  await using broken = await startFakeProvider(cutAfter(withCall), whole);
  await using gateway = await startTestGateway({ models: [modelAt(broken.url, 'a', { prefill: true })] });
  const responses = await gateway.ask({ midStreamPolicy: MidStreamPolicy.CONTINUE, tools: [{ name: 'find' }] });
  expect(casesOf(responses)).toContain('reset');
  expect(textOf(responses)).toBe('whole');
});

test('the circuit of a flapping provider opens while it fails, and no caller notices', async () => {
  let isWell = true;
  let illCount = 0;
  await using flapping = await startFakeProvider((...call) => {
    if (!isWell) illCount += 1;
    return (isWell ? whole : failed(500, {}))(...call);
  });
  await using steady = await startFakeProvider(whole);
  await using gateway = await startTestGateway({
    models: [modelAt(flapping.url, 'a'), modelAt(steady.url, 'b')],
    breaker: { failures: 2, openMs: 100 },
  });
  // A minute of flapping in two seconds: well and ill by turns, each for 200 ms.
  const timer = setInterval(() => {
    isWell = !isWell;
  }, 200);
  const until = performance.now() + 2000;
  let askedCount = 0;
  const lane = async () => {
    while (performance.now() < until) {
      expect(doneOf(await gateway.ask()).outcome).toBe(Outcome.COMPLETE);
      askedCount += 1;
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  clearInterval(timer);
  // In each of five periods of failures: two failures and the attempts in flight beside them, then one probe each 0.1 s.
  expect(illCount).toBeLessThanOrEqual(5 * (2 + 4 + 3));
  expect(flapping.requests.length).toBeGreaterThan(illCount);
  expect(flapping.requests.length + steady.requests.length).toBe(askedCount + illCount);
});

test('a completion that is held back is whole or nothing', async () => {
  await using server = await startFakeProvider(streamed([...head, finish('length')]), cutAfter(head));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)], maxAttempts: 1 });
  const request = { midStreamPolicy: MidStreamPolicy.HOLD_BACK };
  const responses = await gateway.ask(request);
  expect(casesOf(responses)).toEqual(['started', 'textDelta', 'usage', 'done']);
  expect(doneOf(responses).outcome).toBe(Outcome.LENGTH);
  await expect(gateway.ask(request)).rejects.toMatchObject({ code: Code.Unavailable });
});

test('a filter’s refusal fails over if configured, and is the result if no target answers', async () => {
  const refusal = streamed([...head, finish('content_filter')]);
  await using a = await startFakeProvider(failed(400, { code: 'content_filter' }), refusal, refusal);
  await using b = await startFakeProvider(whole, whole, refusal);
  const models = [modelAt(a.url, 'a'), modelAt(b.url, 'b')];
  await using gateway = await startTestGateway({ models, retryFiltered: true });
  expect(doneOf(await gateway.ask()).outcome).toBe(Outcome.COMPLETE);
  // After a part of the answer, only as the caller's policy has it.
  expect(textOf(await gateway.ask({ midStreamPolicy: MidStreamPolicy.CONTINUE }))).toBe('whole');
  expect(doneOf(await gateway.ask({ midStreamPolicy: MidStreamPolicy.HOLD_BACK })).outcome).toBe(Outcome.FILTERED);
});

test('an answer in one piece is an answer, and a part of one is none', async () => {
  const piece = (message: object, reason?: string): Responder => {
    const choice = { index: 0, message, ...(reason === undefined ? {} : { finish_reason: reason }) };
    return (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ choices: [choice], usage: { prompt_tokens: 3, completion_tokens: 1 } }));
    };
  };
  await using server = await startFakeProvider(piece({ content: 'whole' }, 'stop'), piece({ content: 'half ' }));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)], maxAttempts: 1 });
  expect(doneOf(await gateway.ask())).toMatchObject({ outcome: Outcome.COMPLETE, attemptCount: 1 });
  expect(doneOf(await gateway.ask()).outcome).toBe(Outcome.TRUNCATED);
});
