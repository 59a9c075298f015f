import { connect } from 'node:net';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { errorInfoOf } from '../../base/errors.ts';
import { collect, sleep } from '../../base/streams.ts';
import { echo } from '../../testing/echo.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { startTestPipe, type TestPipe } from '../../testing/pipe.ts';
import { createLink } from './link.ts';
import { FrameKind } from './wire.ts';

let mesh: TestMesh;
let pipe: TestPipe;
beforeEach(async () => {
  mesh = await startTestMesh([echo]);
  pipe = await startTestPipe(mesh.host.methods);
});
afterEach(async () => {
  await pipe[Symbol.asyncDispose]();
  await mesh.close();
});

test('thousands of calls in flight over one connection keep their messages apart', async () => {
  const client = pipe.client(EchoService);
  const options = await mesh.as();
  const calls = Array.from({ length: 2000 }, async (_, index) => {
    const text = `call ${index}`;
    const messages = await collect(client.serverStream({ text, count: 9 }, options));
    return messages.length === 9 && messages.every((message) => message.text === text);
  });
  expect(await Promise.all(calls)).not.toContain(false);
});

test('a message that is larger than allowed is refused before it is sent, and larger ones than a chunk arrive whole', async () => {
  const client = pipe.client(EchoService);
  const text = 'x'.repeat(60_000);
  const back = await client.clientStream(
    (async function* () {
      for (let count = 0; count < 60; count++) yield { text };
    })(),
    await mesh.as(),
  );
  expect(back.text).toHaveLength(60 * 60_000);
  const tooLarge = client.unary({ text: 'x'.repeat(5 << 20) }, await mesh.as());
  expect(await tooLarge.catch(ConnectError.from)).toMatchObject({ code: Code.ResourceExhausted });
});

test('a stream whose consumer reads nothing holds a bounded part of it, and others on the connection continue', async () => {
  const client = pipe.client(EchoService);
  const options = await mesh.as();
  const slow = client.serverStream({ text: 'x'.repeat(10_000), count: 1000 }, options)[Symbol.asyncIterator]();
  await slow.next();
  await sleep(100);
  expect(pipe.connection.isConnected()).toBe(true);
  expect((await client.unary({ text: 'a' }, options)).text).toBe('a');
  let count = 1;
  while ((await slow.next()).done !== true) count++;
  expect(count).toBe(1000);
});

test('when the server ends, calls in flight are UNAVAILABLE; when it is there again, calls are served', async () => {
  const client = pipe.client(EchoService);
  const options = await mesh.as();
  const events = client.serverStream({ text: 'x'.repeat(10_000), count: 1000 }, options)[Symbol.asyncIterator]();
  await events.next();
  await pipe.stopServer();
  const failure = await (async () => {
    while ((await events.next()).done !== true);
  })().catch(ConnectError.from);
  expect(failure).toMatchObject({ code: Code.Unavailable });
  const refused = await client.unary({ text: 'a' }, options).catch(ConnectError.from);
  expect(refused).toMatchObject({ code: Code.Unavailable });
  expect(errorInfoOf(refused)?.metadata).toEqual({ dependency: 'owner' });
  await pipe.startServer();
  await pipe.connection.connected(AbortSignal.timeout(10_000));
  expect((await client.unary({ text: 'a' }, options)).text).toBe('a');
});

test('a frame that is larger than allowed ends its connection and no other', async () => {
  const socket = connect(pipe.path);
  const closed = Promise.withResolvers<void>();
  const link = createLink(socket, { maxFrameBytes: 1 << 20, onFrame() {}, onClose: closed.resolve });
  link.send(FrameKind.OPEN, 1, Buffer.alloc(17 << 20));
  await closed.promise;
  expect((await pipe.client(EchoService).unary({ text: 'a' }, await mesh.as())).text).toBe('a');
});
