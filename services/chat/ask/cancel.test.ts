import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { stretched } from '#kit/testing/time.ts';
import { type ChatMesh, gather, type LookupEvent, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let original: ChatMesh['script'];
beforeAll(async () => {
  chat = await startChat();
  original = { ...chat.script };
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  Object.assign(chat.script, original);
  for (const list of Object.values(chat.seen)) list.length = 0;
});

/** Records are written a little after the call has ended. */
const patiently = { timeout: 10_000, interval: 5 };

/** A generation that says two sentences and then waits for its caller to leave. */
function endless() {
  const aborted = Promise.withResolvers<void>();
  const generate: ChatMesh['script']['generate'] = async function* (_, { signal }) {
    signal.addEventListener('abort', () => aborted.resolve());
    yield { case: 'textDelta', value: { text: 'Seven days [1].' } };
    yield { case: 'textDelta', value: { text: ' And more [1]. Then' } };
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { generate, aborted: aborted.promise };
}

describe.each(['local', 'grpc'] as const)('a caller that goes away in the middle, over %s,', (face) => {
  let client: ChatMesh['client'];
  beforeAll(() => {
    client = face === 'grpc' ? chat.mesh.grpcClient(ChatService) : chat.client;
  });
  const stop = async (request: Parameters<ChatMesh['ask']>[0]) => {
    const controller = new AbortController();
    const client =
      face === 'grpc'
        ? chat.mesh.grpcClient((await import('#gen/ragmesh/chat/v1/chat_pb.ts')).ChatService)
        : chat.client;
    const { generate, aborted } = endless();
    chat.script.generate = generate;
    const options = await chat.mesh.as(undefined, { signal: controller.signal });
    let sessionId = '';
    let text = '';
    const asking = gather(client.ask(request, options), (_response, asked) => {
      sessionId = asked.sessionId;
      text = asked.text;
      if (text.includes('more')) controller.abort();
    });
    await expect(asking).rejects.toMatchObject({ code: Code.Canceled });
    return { aborted, sessionId, text };
  };

  test('cancels the generation and the recording, and leaves what it was shown in the audit', async () => {
    const { aborted, text } = await stop({ question: `stop ${face}` });
    await aborted;
    await vi.waitFor(() => expect(chat.seen.records).toHaveLength(1), patiently);
    expect(chat.seen.records[0]).toMatchObject({
      outcome: AnswerOutcome.TRUNCATED,
      answer: text,
      citedMarkers: [1],
      evidence: [{ documentId: 'd1' }, { documentId: 'd2' }],
    });
    await vi.waitFor(() => expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['abandon']), patiently);
  });

  test('can immediately ask again in the same session, which has what was shown', async () => {
    const { sessionId, text } = await stop({ question: `退货的条件是什么 ${face}`, createSession: true });
    Object.assign(chat.script, original);
    const asked = await gather(client.ask({ question: '那换货呢？', sessionId }, await chat.mesh.as()));
    expect(asked.standalone).toBe(`换货的条件是什么 ${face}`);
    const { turns, session } = await chat.client.getSession({ sessionId }, await chat.mesh.as());
    expect(turns.map(({ answer }) => answer)).toEqual([text, 'Seven days [1].']);
    expect(session?.turnCount).toBe(2);
  });
});

test('a caller that leaves before any text still has its session, without a turn', async () => {
  const controller = new AbortController();
  chat.script.retrieve = async function* (_, { signal }) {
    controller.abort();
    yield* [];
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  let sessionId = '';
  const asking = gather(
    chat.client.ask(
      { question: 'too early', createSession: true },
      await chat.mesh.as(undefined, { signal: controller.signal }),
    ),
    (_response, asked) => {
      sessionId = asked.sessionId;
    },
  );
  await expect(asking).rejects.toMatchObject({ code: Code.Canceled });
  Object.assign(chat.script, original);
  await chat.ask({ question: 'again', sessionId });
  const { turns } = await chat.client.getSession({ sessionId }, await chat.mesh.as());
  expect(turns.map(({ question }) => question)).toEqual(['again']);
  expect(chat.seen.records.map(({ question }) => question)).toEqual(['again']);
});

describe('a caller that leaves at the very first stage', () => {
  const leaveEarly = async () => {
    for await (const { event } of chat.client.ask({ question: 'very early' }, await chat.mesh.as())) {
      if (event.case !== 'stage') continue;
      // The cache has answered by now, and no one has read the result.
      await vi.waitFor(() => expect(chat.seen.lookups).toHaveLength(1), patiently);
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
      break;
    }
  };
  test('leaves no stream of the cache open', async () => {
    const closed = Promise.withResolvers<void>();
    chat.script.lookup = async function* (): AsyncGenerator<LookupEvent> {
      try {
        yield { case: 'follow', value: {} };
        for (;;) yield { case: 'answer', value: { event: { case: 'textDelta', value: { text: 'x' } } } };
      } finally {
        closed.resolve();
      }
    };
    await leaveEarly();
    await closed.promise;
  });
  test('leaves no lease without a fill', async () => {
    await leaveEarly();
    await vi.waitFor(() => expect(chat.seen.fills.map(({ ended }) => ended)).toEqual(['abandon']), patiently);
  });
});

test('a deadline that passes in the middle ends the call in time, and what was shown is recorded', async () => {
  chat.script.generate = endless().generate;
  const startedAt = performance.now();
  const asking = chat.ask({ question: 'deadline' }, await chat.mesh.as(undefined, { timeoutMs: 1000 }));
  await expect(asking).rejects.toMatchObject({ code: Code.DeadlineExceeded });
  expect(performance.now() - startedAt).toBeLessThan(stretched(10_000));
  await vi.waitFor(() => expect(chat.seen.records[0]?.outcome).toBe(AnswerOutcome.TRUNCATED), patiently);
});

test('a deadline of 1 ms ends as a deadline', async () => {
  chat.script.corpora = () => new Promise(() => {});
  const asking = chat.ask({ question: 'hurry' }, await chat.mesh.as(undefined, { timeoutMs: 1 }));
  await expect(asking).rejects.toMatchObject({ code: Code.DeadlineExceeded });
});

test('a shutdown waits for the records of answers that were stopped', async () => {
  const other = await startChat();
  const slow = Promise.withResolvers<void>();
  other.script.record = () => slow.promise;
  other.script.generate = endless().generate;
  const controller = new AbortController();
  const options = await other.mesh.as(undefined, { signal: controller.signal });
  const asking = gather(other.client.ask({ question: 'closing' }, options), (_response, { text }) => {
    if (text !== '') controller.abort();
  });
  await expect(asking).rejects.toThrow();
  const closing = other.mesh.close();
  let isClosed = false;
  void closing.then(() => {
    isClosed = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  slow.resolve();
  await closing;
  expect(other.seen.records).toHaveLength(1);
});
