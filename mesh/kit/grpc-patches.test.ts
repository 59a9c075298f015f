import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/echo/v1/echo_pb.ts';
import { defineService } from './define-service.ts';
import { sleep } from './streams.ts';
import { startTestMesh } from './testing.ts';

const failing = defineService({
  name: 'echo',
  contract: EchoService,
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

test('a consumer that is too slow for its deadline is told so, though an error waits behind the messages', async () => {
  await using mesh = await startTestMesh([failing]);
  const client = mesh.grpcClient(EchoService);
  const late = async () => {
    const options = await mesh.as(undefined, { timeoutMs: 60 });
    for await (const _ of client.serverStream({ text: 'a', count: 1_000 }, options)) await sleep(5);
  };
  await expect(late()).rejects.toMatchObject({ code: Code.DeadlineExceeded });
});
