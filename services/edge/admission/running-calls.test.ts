import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport } from '@connectrpc/connect-node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { toVector } from '#kit/base/vectors.ts';
import { type AskEvent, type EdgeMesh, startEdgeMesh } from '../testing/stand-ins.ts';

// How many answers and model calls of one user run concurrently. The models are slow: they answer when the test says so.

let edge: EdgeMesh;
let answering: PromiseWithResolvers<void>;
const wait = (signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    answering.promise.then(resolve);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
const start = async (limits: object = {}) => {
  answering = Promise.withResolvers();
  edge = await startEdgeMesh({
    async *answer({ question }, { signal }): AsyncGenerator<AskEvent> {
      yield { case: 'started', value: { answerId: 'a1', sessionId: 's1' } };
      if (question === 'slow') await wait(signal);
      yield { case: 'textDelta', value: { text: 'here' } };
      yield { case: 'done', value: { outcome: AnswerOutcome.ANSWERED, answerId: 'a1' } };
    },
    embedding: {
      async *embed({ inputs }, { signal }) {
        await wait(signal);
        yield { vectors: inputs.map(() => toVector(new Float32Array([1]))), model: 'small' };
      },
    },
    config: { edge: { userMaxConcurrent: 8, ...limits } },
  });
};
beforeEach(() => start());
afterEach(async () => {
  answering.resolve();
  await edge.mesh.close();
});

const keyOf = (who: 'dev' | 'customer') => ({ authorization: `Bearer ${edge.edge.devKeys?.[who]}` });
const post = (path: string, who: 'dev' | 'customer', body: object, signal?: AbortSignal) =>
  fetch(`${edge.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...keyOf(who) },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
const ask = (who: 'dev' | 'customer', query: string, signal?: AbortSignal) =>
  post('/v1/chat/stream', who, { query }, signal);
const complete = (who: 'dev' | 'customer', content: string, stream = false) =>
  post('/v1/chat/completions', who, { model: 'ragmesh', stream, messages: [{ role: 'user', content }] });
const running = (count: number) => expect.poll(() => edge.seen.openCount, { timeout: 20_000 }).toBe(count);
const askRpc = async (who: 'dev' | 'customer', question: string, transport = connect()) => {
  const cases: (string | undefined)[] = [];
  for await (const { event } of createClient(ChatService, transport).ask({ question }, { headers: keyOf(who) })) {
    cases.push(event.case);
  }
  return cases;
};
const connect = () => createConnectTransport({ baseUrl: edge.url, httpVersion: '1.1' });
const grpc = () => createGrpcTransport({ baseUrl: edge.url });

test('of 400 concurrent questions of one key, 8 run and the others are refused; another user is answered', async () => {
  const flood = Array.from({ length: 400 }, () => ask('customer', 'slow'));
  let refusedCount = 0;
  for (const one of flood) {
    void one.then((response) => {
      if (response.status === 429) refusedCount++;
    });
  }
  await running(8);
  expect(await (await ask('dev', 'quick')).text()).toContain('event: done');
  expect(await askRpc('dev', 'quick')).toContain('done');
  await expect.poll(() => refusedCount, { timeout: 20_000 }).toBe(392);
  expect(edge.seen.openCount).toBe(8);
  answering.resolve();
  const served = (await Promise.all(flood)).filter(({ status }) => status === 200);
  expect(served).toHaveLength(8);
  for (const response of served) expect(await response.text()).toContain('event: done');
  expect(await (await ask('customer', 'quick')).text()).toContain('event: done');
}, 60_000);

describe('with as many answers running as a user may have', () => {
  const open = new AbortController();
  let held: Promise<Response>[];
  beforeEach(async () => {
    held = Array.from({ length: 8 }, () => ask('customer', 'slow', open.signal));
    await running(8);
  });
  afterEach(() => Promise.allSettled(held));

  test('every face refuses one more, and says when to try again', async () => {
    const replies = [
      await ask('customer', 'quick'),
      await complete('customer', 'quick'),
      await complete('customer', 'quick', true),
    ];
    for (const reply of replies) {
      expect([reply.status, reply.headers.get('retry-after')]).toEqual([429, '1']);
      expect(await reply.text()).toMatch(/8 answers or model calls of this user are running/);
    }
    for (const transport of [connect(), grpc()]) {
      const error = await askRpc('customer', 'quick', transport).then(
        () => expect.fail('it was answered'),
        (thrown: unknown) => ConnectError.from(thrown),
      );
      expect(error.code).toBe(Code.ResourceExhausted);
      expect(errorInfoOf(error)).toMatchObject({
        reason: 'RATE_LIMITED',
        metadata: { scope: 'user', limit: 'user_max_concurrent', value: '8' },
      });
      expect(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds).toBe(1n);
    }
    answering.resolve();
  });

  test('calls that run no model are served', async () => {
    const models = await fetch(`${edge.url}/v1/models`, { headers: keyOf('customer') });
    expect(models.status).toBe(200);
    const session = createClient(ChatService, connect()).getSession({ sessionId: 's' }, { headers: keyOf('customer') });
    expect(await session).toMatchObject({ session: { sessionId: 's' } });
    answering.resolve();
  });
});

test('a caller who leaves, an answer that fails and a body that is wrong give their place back', async () => {
  await edge.mesh.close();
  await start({ userMaxConcurrent: 1 });
  for (const path of ['/v1/chat/stream', '/v1/chat/completions', '/v1/embeddings']) {
    expect((await post(path, 'dev', { wrong: 1 })).status).toBe(400);
  }
  for (let count = 0; count < 3; count++) {
    const leaving = new AbortController();
    const left = ask('dev', 'slow', leaving.signal);
    left.catch(() => {});
    await running(1);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await running(0);
  }
  const client = createClient(ChatService, grpc());
  const leaving = new AbortController();
  const events = client.ask({ question: 'slow' }, { headers: keyOf('dev'), signal: leaving.signal });
  const reading = (async () => {
    for await (const event of events) void event;
  })();
  reading.catch(() => {});
  await running(1);
  leaving.abort();
  await expect(reading).rejects.toThrow();
  await running(0);
  await expect.poll(async () => (await ask('dev', 'quick')).status, { timeout: 20_000 }).toBe(200);
});

test('embeddings count as well', async () => {
  await edge.mesh.close();
  await start({ userMaxConcurrent: 1 });
  const first = ask('dev', 'slow');
  await running(1);
  expect((await post('/v1/embeddings', 'dev', { input: 'a' })).status).toBe(429);
  answering.resolve();
  expect(await (await first).text()).toContain('event: done');
});
