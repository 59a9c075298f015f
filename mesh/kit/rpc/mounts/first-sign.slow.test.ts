import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, type Transport } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { createClient } from '../client.ts';
import { createGrpcTransport } from '../grpc/client.ts';
import { createPipeTransport } from '../pipe/client.ts';
import { connectPipe } from '../pipe/connection.ts';

/** Starts what accepts connections and never replies, at a port or a path; returns its address. */
async function startHung(path?: string) {
  const server = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(path ?? { port: 0, host: '127.0.0.1' }, resolve));
  const address = path ?? `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, [Symbol.dispose]: () => void server.close() };
}

/** Asks for a stream with much time left. Returns how it failed, and after how long in milliseconds. */
async function askHung(transport: Transport) {
  const startedAt = performance.now();
  const stream = createClient(EchoService, transport).lateStream({}, { timeoutMs: 300_000 });
  const error = await collect(stream).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return { error, tookMs: performance.now() - startedAt };
}

const noSign = { code: Code.Unavailable, rawMessage: 'no sign of a reply within 5000 ms' };

test('over gRPC, a process that accepts and never replies costs the wait for a first sign', async () => {
  using hung = await startHung();
  const transport = createGrpcTransport({ address: hung.address, methods: EchoService.methods });
  const { error, tookMs } = await askHung(transport);
  transport.close();
  expect(error).toMatchObject(noSign);
  expect(tookMs).toBeGreaterThan(4900);
});

test('so does one at a pipe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-hung-'));
  using hung = await startHung(join(folder, 'socket'));
  const connection = connectPipe(hung.address, 4 << 20);
  await connection.connected(AbortSignal.timeout(60_000));
  const { error, tookMs } = await askHung(createPipeTransport(connection));
  connection.close();
  rmSync(folder, { recursive: true });
  expect(error).toMatchObject(noSign);
  expect(tookMs).toBeGreaterThan(4900);
});
