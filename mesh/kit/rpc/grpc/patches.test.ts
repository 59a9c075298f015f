import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect, sleep } from '../../base/streams.ts';
import { defineService } from '../../host/define-service.ts';
import { echo } from '../../testing/echo.ts';
import { startTestMesh } from '../../testing/mesh.ts';
import { type GrpcInternals, misfitOf, patchGrpc, readGrpcInternals } from './patches.ts';

const failing = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      async *serverStream({ text, count }) {
        for (let index = 0; index < count; index++) yield { text };
        throw new ConnectError('no more', Code.NotFound);
      },
    },
    close: async () => {},
  }),
});

test.each(['grpc', 'local'] as const)('over %s every message comes before the error that follows it', async (face) => {
  await using mesh = await startTestMesh([failing]);
  const client = face === 'grpc' ? mesh.grpcClient(EchoService) : mesh.client(EchoService);
  let count = 0;
  let code: Code | undefined;
  try {
    for await (const _ of client.serverStream({ text: 'a', count: 100 }, await mesh.as())) {
      // Slower than the server, which has failed long before the last message is taken.
      if (++count % 4 === 0) await sleep(1);
    }
  } catch (error) {
    code = ConnectError.from(error).code;
  }
  expect({ count, code }).toEqual({ count: 100, code: Code.NotFound });
});

test('a consumer that is too slow for its deadline gets its deadline error, although an error waits behind the messages', async () => {
  await using mesh = await startTestMesh([failing]);
  const client = mesh.grpcClient(EchoService);
  const late = async () => {
    const options = await mesh.as(undefined, { timeoutMs: 60 });
    for await (const _ of client.serverStream({ text: 'a', count: 1_000 }, options)) await sleep(5);
  };
  await expect(late()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
});

test('messages that leave together stay within the largest message of the server', async () => {
  await using mesh = await startTestMesh([echo], { config: { grpc: { maxMessageBytes: 8192 } } });
  const client = mesh.grpcClient(EchoService);
  for (const [length, count] of [
    [1024, 16],
    [1021, 64],
    [8187, 4],
    [1, 100],
    [4090, 9],
  ] as const) {
    const messages = await collect(client.serverStream({ text: 'a'.repeat(length), count }, await mesh.as()));
    expect(messages.map(({ text }) => text.length)).toEqual(new Array(count).fill(length));
  }
});

test('the patches fit the grpc-js that is installed, and are applied', () => {
  expect(misfitOf(readGrpcInternals())).toBeUndefined();
  expect(patchGrpc()).toBe(true);
});

test('another version or another shape of grpc-js is not patched', () => {
  const installed = readGrpcInternals();
  expect(misfitOf({ ...installed, version: '1.99.0' })).toContain('1.99.0');
  const serverCall = { serializeMessage: (_value: unknown, _options: unknown) => Buffer.alloc(0) };
  expect(misfitOf({ ...installed, serverCall: serverCall as never })).toContain('serializeMessage');
  const clientCall = { ...installed.clientCall, outputStatus: undefined } as unknown as GrpcInternals['clientCall'];
  expect(misfitOf({ ...installed, clientCall })).toContain('outputStatus');
});
