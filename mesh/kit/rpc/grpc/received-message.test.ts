import { connect } from 'node:http2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { echo } from '../../testing/echo.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startTestMesh([echo]);
});
afterAll(() => mesh.close());

/** Sends one message, as bytes, to a method of the gRPC port; resolves to the status of the call. */
async function call(path: string, message: Buffer): Promise<{ status: number; message: string }> {
  const session = connect(`http://127.0.0.1:${mesh.host.grpcPort}`);
  const { headers } = await mesh.as();
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...Object.fromEntries(new Headers(headers)),
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  try {
    return await new Promise((resolve, reject) => {
      stream.on('error', reject);
      const read = (fields: Record<string, unknown>) => {
        if (fields['grpc-status'] === undefined) return;
        const text = decodeURIComponent(String(fields['grpc-message'] ?? ''));
        resolve({ status: Number(fields['grpc-status']), message: text });
      };
      stream.on('response', read);
      stream.on('trailers', read);
      stream.resume();
    });
  } finally {
    session.destroy();
  }
}

const methods = ['Unary', 'ServerStream', 'ClientStream', 'BidiStream'];

test.each(methods)('bytes that are no message are INVALID_ARGUMENT, not a failure of the server: %s', async (name) => {
  const reply = await call(`/ragmesh.testing.v1.EchoService/${name}`, Buffer.from([0x0a, 0x7f, 0x61]));
  expect(reply).toMatchObject({ status: 3, message: expect.stringContaining('not valid protobuf') });
});

test('a message that would be expensive to parse is INVALID_ARGUMENT before it is parsed', async () => {
  const path = '/ragmesh.testing.v1.EchoService/Unary';
  const unknown = (count: number) => Buffer.concat(Array<Buffer>(count).fill(Buffer.from([0xf8, 0x7f, 0x00])));
  const repeated = (count: number) => Buffer.concat(Array<Buffer>(count).fill(Buffer.from([0x0a, 0x00])));
  expect(await call(path, unknown(1000))).toMatchObject({ status: 0 });
  expect(await call(path, unknown(1001))).toMatchObject({ status: 3, message: expect.stringContaining('1000 fields') });
  expect(await call(path, repeated(10_000))).toMatchObject({ status: 0 });
  expect(await call(path, repeated(10_001))).toMatchObject({
    status: 3,
    message: expect.stringContaining('10000 values'),
  });
});

test('a message larger than its method allows is refused before it is parsed', async () => {
  const path = '/grpc.health.v1.Health/Check';
  const named = (length: number) =>
    Buffer.concat([Buffer.from([0x0a, (length & 0x7f) | 0x80, length >> 7]), Buffer.alloc(length, 0x61)]);
  expect(await call(path, Buffer.alloc(0))).toMatchObject({ status: 0 });
  expect(await call(path, named(5000))).toEqual({ status: 8, message: 'the message is larger than 4096 bytes' });
  expect(await call(path, named(1000))).toMatchObject({ status: 5 });
});
