import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { freePort, hasCommand, skipped, startTestServer } from '#kit/testing/server.ts';
import { blobStoreSuite } from '../../suites/blob-store.suite.ts';
import { blobStoreDeps } from '../../testing/blob-store-deps.ts';
import type { BlobStore, BlobStoreDeps } from '../../uploads/blob-store.ts';

// A real S3 server on loopback.

const command = 'versitygw';
const advice = 'go install github.com/versity/versitygw/cmd/versitygw@v1.8.0';
const bucket = 'uploads';
const keys = { access_key_id: 'ragmesh', secret_access_key: 'a-long-secret' };

const open = (port: number, more: object = {}) =>
  createFromAdapter<BlobStore, BlobStoreDeps>(
    new URL('./', import.meta.url),
    's3',
    { bucket, endpoint: `http://127.0.0.1:${port}`, path_style: true, part_bytes: 5 << 20, ...keys, ...more },
    blobStoreDeps(''),
    'indexer.blob_store',
  );

async function startS3() {
  const server = await startTestServer({
    command,
    args(port, folder) {
      for (const name of ['data', 'multipart']) mkdirSync(join(folder, name));
      const login = ['--access', keys.access_key_id, '--secret', keys.secret_access_key];
      return [
        ...login,
        '--port',
        `127.0.0.1:${port}`,
        'posix',
        '--sidecar',
        join(folder, 'multipart'),
        join(folder, 'data'),
      ];
    },
  });
  const client = new S3Client({
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${server.port}`,
    forcePathStyle: true,
    credentials: { accessKeyId: keys.access_key_id, secretAccessKey: keys.secret_access_key },
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return { server, client };
}

describe.skipIf(!hasCommand(command) && skipped('s3', 9, advice))('a real S3', () => {
  blobStoreSuite('s3', async () => {
    const { server, client } = await startS3();
    const store = await open(server.port);
    return {
      store,
      openAgain: () => open(server.port),
      async damage(name) {
        const at = { Bucket: bucket, Key: `ragmesh/uploads/${name}` };
        const { Body } = await client.send(new GetObjectCommand(at));
        const bytes = (await Body?.transformToByteArray()) as Uint8Array;
        bytes[3] = (bytes[3] ?? 0) ^ 1;
        await client.send(new PutObjectCommand({ ...at, Body: bytes }));
      },
      async close() {
        await store.close();
        client.destroy();
        await server[Symbol.asyncDispose]();
      },
    };
  });

  test('wrong keys and a server that is away are UNAVAILABLE, and say what to check', async () => {
    const { server, client } = await startS3();
    const { signal } = new AbortController();
    const wrong = await open(server.port, { secret_access_key: 'not-the-secret' });
    await expect(wrong.read('a.bytes', 0, 1, signal)).rejects.toThrow(/403 \w+\): check its bucket and credentials/);
    const away = await open(await freePort(), { max_attempts: 1 });
    await expect(away.read('a.bytes', 0, 1, signal)).rejects.toThrow(/the object store does not work \(/);
    const source = async function* () {
      yield Buffer.from('text');
    };
    await expect(away.write('a.bytes', source(), signal)).rejects.toThrow(/the object store does not work \(/);
    for (const store of [wrong, away]) await store.close();
    client.destroy();
    await server[Symbol.asyncDispose]();
  });
});
