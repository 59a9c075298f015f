import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { expect, onTestFinished, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { createAuthority } from '#kit/testing/authority.ts';
import { skipped } from '#kit/testing/server.ts';
import { hashKey } from '../credentials/api-keys.ts';
import { startEdgeMesh } from '../testing/stand-ins.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test.skipIf(!hasOpenssl && skipped('openssl', 1, 'apt-get install openssl'))(
  'over TLS, a program without a certificate calls the gRPC port with its key',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ragmesh-callers-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { certificate, key, roots } = createAuthority(folder).issue('IP:127.0.0.1');
    const files = { certificateFile: certificate, keyFile: key, caFile: roots };
    const tls = Object.entries(files).map(([name, text]) => {
      writeFileSync(join(folder, name), text);
      return [name, join(folder, name)];
    });
    const grpc = { admitCredentials: true, tls: { ...Object.fromEntries(tls), requireClientCertificate: false } };
    const apiKeys = [{ id: 'shop', sha256: hashKey('shop-key'), tenant: 'acme' }];
    await using edge = await startEdgeMesh({ config: { grpc, edge: { apiKeys } } as never });
    const baseUrl = `https://127.0.0.1:${edge.mesh.host.grpcPort}`;
    const chat = createClient(ChatService, createGrpcTransport({ baseUrl, nodeOptions: { ca: roots } }));
    const ask = (credential: string) =>
      collect(chat.ask({ question: 'q' }, { headers: { authorization: `Bearer ${credential}` } }));
    // The server refuses connections until it has read its files.
    const lastEvent = () => ask('shop-key').then((events) => events.at(-1)?.event.case, String);
    await expect.poll(lastEvent, { timeout: 15_000 }).toBe('done');
    expect(edge.seen.callers.at(-1)).toMatchObject({ tenant: 'acme', user: 'shop' });
    expect(await ask('other').catch(ConnectError.from)).toMatchObject({ code: Code.Unauthenticated });
  },
);
