import { type AddressInfo, createServer } from 'node:net';
import { Readable } from 'node:stream';
import { Code, ConnectError } from '@connectrpc/connect';
import { expect, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { blobStoreDeps } from '../../testing/blob-store-deps.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';

/** Tries until the circuit is open; returns how often. */
async function countUntilOpen(work: () => Promise<unknown>): Promise<number> {
  for (let count = 1; count <= 40; count++) {
    const error = ConnectError.from(await work().catch((failure: unknown) => failure));
    expect(error.code).toBe(Code.Unavailable);
    if (error.rawMessage.includes('circuit open')) return count;
  }
  throw new Error('the circuit stays closed');
}

test('a server of S3 that hangs costs a few waits, then uploads and reads end immediately', async () => {
  const server = createServer((socket) => void socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const given = { endpoint: `http://127.0.0.1:${port}`, path_style: true, timeout_ms: 400, max_attempts: 1 };
  const store = await createFromAdapter<BlobStore, BlobStoreDeps>(
    new URL('./', import.meta.url),
    's3',
    { bucket: 'uploads', access_key_id: 'a', secret_access_key: 'b', ...given },
    blobStoreDeps(''),
    'indexer.blob_store',
  );
  const { signal } = new AbortController();
  const read = () => store.read('a', 0, 1, signal);
  const write = () => store.write('b', Readable.from([new Uint8Array(1)]), signal);
  expect(await countUntilOpen(read)).toBeGreaterThan(5);
  await countUntilOpen(write);
  await countUntilOpen(() => store.remove('c'));
  await store.close();
  server.close();
});
