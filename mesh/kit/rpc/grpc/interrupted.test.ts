import { createServer, constants as http2, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { EchoService, ServerStreamResponseSchema } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { errorInfoOf } from '../../base/errors.ts';
import { createClient } from '../client.ts';
import { createGrpcTransport } from './client.ts';

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

/** Returns a client of a server that answers each call with `answer`. */
async function clientOf(answer: (stream: ServerHttp2Stream) => void) {
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    answer(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = createGrpcTransport({ address, methods: EchoService.methods });
  open.push(transport, server);
  return createClient(EchoService, transport);
}

const begin = (stream: ServerHttp2Stream, trailers = false) =>
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: trailers });

const oneMessage = () => {
  const bytes = toBinary(ServerStreamResponseSchema, {
    $typeName: 'ragmesh.testing.v1.ServerStreamResponse',
    text: 'a',
  } as never);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

async function outcomeOf(stream: AsyncIterable<unknown>) {
  let messageCount = 0;
  try {
    for await (const _ of stream) messageCount++;
    return { messageCount, code: undefined, reason: undefined };
  } catch (error) {
    return { messageCount, code: ConnectError.from(error).code, reason: errorInfoOf(error)?.reason };
  }
}

test('a stream that a proxy resets after its first message is UNAVAILABLE: no bug of the service', async () => {
  const client = await clientOf((stream) => {
    begin(stream);
    stream.write(oneMessage(), () => setTimeout(() => stream.close(http2.NGHTTP2_INTERNAL_ERROR), 20));
  });
  expect(await outcomeOf(client.serverStream({}, { timeoutMs: 5000 }))).toEqual({
    messageCount: 1,
    code: Code.Unavailable,
    reason: 'CALL_INTERRUPTED',
  });
});

test('an INTERNAL that the service itself reports stays INTERNAL', async () => {
  const client = await clientOf((stream) => {
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '13', 'grpc-message': 'internal error' }));
    begin(stream, true);
    stream.end(oneMessage());
  });
  expect(await outcomeOf(client.serverStream({}, { timeoutMs: 5000 }))).toEqual({
    messageCount: 1,
    code: Code.Internal,
    reason: undefined,
  });
});

test('what grpc-js says of addresses is the cause of an error, not its message', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const transport = createGrpcTransport({ address: `127.0.0.1:${port}`, methods: EchoService.methods, retries: false });
  open.push(transport);
  const error = await createClient(EchoService, transport)
    .unary({ text: 'a' })
    .catch((thrown: unknown) => thrown as ConnectError);
  expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: 'the service cannot be reached' });
  expect(String((error as ConnectError).cause)).toContain(`127.0.0.1:${port}`);

  const silent = await clientOf(() => {});
  const late = await silent.unary({ text: 'a' }, { timeoutMs: 50 }).catch((thrown: unknown) => thrown as ConnectError);
  expect(late).toMatchObject({ code: Code.DeadlineExceeded });
  expect(String((late as ConnectError).rawMessage)).not.toMatch(/127\.0\.0\.1|remote_addr/);
});
