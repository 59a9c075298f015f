import { connect, type IncomingHttpHeaders } from 'node:http2';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { defineService } from '../../host/define-service.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { startTestPipe, type TestPipe } from '../../testing/pipe.ts';

let begunCount = 0;

const counting = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      unary({ text }) {
        begunCount++;
        return { text };
      },
      async *serverStream({ text }) {
        begunCount++;
        yield { text };
      },
    },
    close: async () => {},
  }),
});

let mesh: TestMesh;
let pipe: TestPipe;
const warnings: Error[] = [];
const onWarning = (warning: Error) => void warnings.push(warning);
beforeAll(async () => {
  process.on('warning', onWarning);
  mesh = await startTestMesh([counting]);
  pipe = await startTestPipe(mesh.host.methods);
});
beforeEach(() => {
  begunCount = 0;
});
afterAll(async () => {
  await pipe[Symbol.asyncDispose]();
  await mesh.close();
  process.off('warning', onWarning);
});

const clientOf = (face: 'grpc' | 'local' | 'pipe') =>
  face === 'grpc' ? mesh.grpcClient(EchoService) : (face === 'local' ? mesh : pipe).client(EchoService);

describe.each(['grpc', 'local', 'pipe'] as const)('over %s', (face) => {
  test.each([0, -5])('a call with %d ms left ends DEADLINE_EXCEEDED and is not begun', async (timeoutMs) => {
    const client = clientOf(face);
    const options = { ...(await mesh.as()), timeoutMs };
    await expect(client.unary({ text: 'a' }, options)).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    const streamed = collect(client.serverStream({ text: 'a', count: 1 }, options));
    await expect(streamed).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(begunCount).toBe(0);
  });
});

test.each(['Unary', 'ServerStream'])('a gRPC server does not begin a call of %s whose timeout is 0', async (name) => {
  const session = connect(`http://127.0.0.1:${mesh.host.grpcPort}`);
  const { headers } = await mesh.as();
  const stream = session.request({
    ':method': 'POST',
    ':path': `/ragmesh.testing.v1.EchoService/${name}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '0m',
    ...(headers as Record<string, string>),
  });
  const status = new Promise<unknown>((resolve) => {
    const look = (received: IncomingHttpHeaders) => {
      if (received['grpc-status'] !== undefined) resolve(received['grpc-status']);
    };
    stream.on('response', look);
    stream.on('trailers', look);
  });
  stream.on('error', () => {});
  stream.resume();
  stream.end(Buffer.from([0, 0, 0, 0, 3, 10, 1, 97]));
  expect(await status).toBe(String(Code.DeadlineExceeded));
  session.destroy();
  expect(begunCount).toBe(0);
});

test('no call has armed a negative timer', () => {
  expect(warnings.map(({ name }) => name)).not.toContain('TimeoutNegativeWarning');
});
