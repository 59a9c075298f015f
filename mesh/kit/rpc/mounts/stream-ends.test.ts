import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { toBinary } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AskResponse, ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { EchoService, UnaryResponseSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { defineService } from '../../host/define-service.ts';
import { type FrameCounter, startFrameCounter } from '../../testing/frames.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { startTestPipe, type TestPipe } from '../../testing/pipe.ts';
import { createClient } from '../client.ts';
import { createGrpcTransport, type GrpcTransport } from '../grpc/client.ts';

/** Streams "on and on" that have seen their cancellation, and all streams that have run to their end. */
let abortedCount = 0;
let finishedCount = 0;

/** Answers with text, and `done` if the question is not "on and on"; the question "stuck" keeps its stream open after `done`. */
const chat = defineService({
  name: 'chat',
  contracts: [ChatService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      async *ask({ question }, { signal }) {
        const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        if (question === 'on and on') void aborted.then(() => abortedCount++);
        yield { event: { case: 'textDelta' as const, value: { text: 'Within 30 days.' } } };
        if (question === 'on and on') await aborted;
        yield { event: { case: 'done' as const, value: { answerId: 'a1' } } };
        if (question === 'stuck') await aborted;
        else if (!signal.aborted) finishedCount++;
      },
    },
    close: async () => {},
  }),
});

let mesh: TestMesh;
let pipe: TestPipe;
let counter: FrameCounter;
let transport: GrpcTransport;
let client: Client<typeof ChatService>;
beforeAll(async () => {
  mesh = await startTestMesh([chat]);
  pipe = await startTestPipe(mesh.host.methods);
  counter = await startFrameCounter(mesh.host.grpcPort);
  transport = createGrpcTransport({ address: `127.0.0.1:${counter.port}`, methods: ChatService.methods });
  client = createClient(ChatService, transport);
});
afterAll(async () => {
  transport.close();
  await pipe[Symbol.asyncDispose]();
  await counter[Symbol.asyncDispose]();
  await mesh.close();
});

async function leaveAt(question: string, at: AskResponse['event']['case'], by = client): Promise<void> {
  for await (const { event } of by.ask({ question }, await mesh.as())) if (event.case === at) return;
}

test('a consumer that leaves at the last event resets nothing', async () => {
  const before = counter.resetCount();
  for (let round = 0; round < 20; round++) {
    await Promise.all(Array.from({ length: 20 }, () => leaveAt('when?', 'done')));
  }
  // Frames keep their order on a connection: what the streams left behind is before this call.
  await client.getSession({ sessionId: 's1' }, await mesh.as()).catch(() => {});
  expect(counter.resetCount() - before).toBe(0);
});

describe.each(['grpc', 'local', 'pipe'] as const)('over %s', (face) => {
  const clientOf = () => (face === 'grpc' ? client : (face === 'local' ? mesh : pipe).client(ChatService));

  test('a consumer that leaves at the last event lets the handler finish', async () => {
    const before = { finished: finishedCount, aborted: abortedCount };
    await leaveAt('when?', 'done', clientOf());
    await expect.poll(() => finishedCount - before.finished).toBe(1);
    expect(abortedCount).toBe(before.aborted);
  });

  test('a consumer that leaves before the last event cancels the handler', async () => {
    const before = { finished: finishedCount, aborted: abortedCount };
    await leaveAt('on and on', 'textDelta', clientOf());
    await expect.poll(() => abortedCount - before.aborted).toBe(1);
    expect(finishedCount).toBe(before.finished);
  });

  test('a consumer that leaves before it has read a message cancels the handler', async () => {
    const before = abortedCount;
    const events = clientOf()
      .ask({ question: 'on and on' }, await mesh.as())
      [Symbol.asyncIterator]();
    await events.return?.();
    await expect.poll(() => abortedCount - before).toBe(1);
  });

  test('a consumer that leaves while it waits for a message cancels the handler', async () => {
    const before = abortedCount;
    const events = clientOf()
      .ask({ question: 'on and on' }, await mesh.as())
      [Symbol.asyncIterator]();
    await events.next();
    const next = events.next();
    next.catch(() => {});
    await events.return?.();
    await expect.poll(() => abortedCount - before).toBe(1);
    await Promise.allSettled([next]);
  });
});

test('a consumer that leaves before the last event cancels the call', async () => {
  const before = { resets: counter.resetCount(), aborted: abortedCount };
  await leaveAt('on and on', 'textDelta');
  await expect.poll(() => abortedCount - before.aborted).toBe(1);
  expect(counter.resetCount() - before.resets).toBe(1);
});

test('a stream that does not end after its last event is cancelled in the end', async () => {
  const before = counter.resetCount();
  await leaveAt('stuck', 'done');
  await expect.poll(() => counter.resetCount() - before, { timeout: 20_000 }).toBe(1);
});

test('a caller that aborts after the last event cancels a stream that has not ended', async () => {
  const before = counter.resetCount();
  const controller = new AbortController();
  const options = await mesh.as(undefined, { signal: controller.signal });
  for await (const { event } of client.ask({ question: 'stuck' }, options)) if (event.case === 'done') break;
  controller.abort();
  await expect.poll(() => counter.resetCount() - before, { timeout: 20_000 }).toBe(1);
});

test('3,000 cancelled streams on one connection harm no other call on it', async () => {
  await leaveAt('when?', 'done');
  const before = { resets: counter.resetCount(), connections: counter.connectionCount() };
  for (let round = 0; round < 60; round++) {
    const cancelled = Array.from({ length: 50 }, () => leaveAt('on and on', 'textDelta'));
    const innocent = collect(client.ask({ question: 'when?' }, await mesh.as()));
    const [events] = await Promise.all([innocent, ...cancelled]);
    expect(events.map(({ event }) => event.case)).toEqual(['textDelta', 'done']);
  }
  await expect.poll(() => counter.resetCount() - before.resets).toBe(3_000);
  expect(counter.connectionCount()).toBe(before.connections);
});

test('a call that may be retried survives a connection that its server closes with an error', async () => {
  let callCount = 0;
  const server = createServer();
  server.on('session', (session) => session.on('error', () => {}));
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.resume();
    if (++callCount === 1) return stream.session?.destroy(undefined, 2);
    const bytes = toBinary(UnaryResponseSchema, { $typeName: 'ragmesh.testing.v1.UnaryResponse', text: 'again' });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length, 1);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.concat([head, bytes]));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const flaky = createGrpcTransport({ address: `127.0.0.1:${port}`, methods: EchoService.methods });
  try {
    const { text } = await createClient(EchoService, flaky).unary({ text: 'a' });
    expect(text).toBe('again');
    expect(callCount).toBe(2);
  } finally {
    flaky.close();
    server.close();
  }
});
