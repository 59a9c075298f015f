import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { create } from '@bufbuild/protobuf';
import { Code, type ConnectError } from '@connectrpc/connect';
import { afterEach, describe, expect, test } from 'vitest';
import { GrpcTlsConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createLogger } from '../../base/log.ts';
import { defineService, type ServiceDefinition } from '../../host/define-service.ts';
import { type Authority, createAuthority, type Identity } from '../../testing/authority.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '../../testing/mesh.ts';
import { skipped } from '../../testing/server.ts';
import { createClient } from '../client.ts';
import { createGrpcTransport, type GrpcTransport } from './client.ts';
import { startGrpcServer } from './server.ts';
import { readGrpcTls } from './tls.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

const echo = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  create: async () => ({ impl: { unary: async ({ text }: { text: string }) => ({ text }) }, close: async () => {} }),
}) as ServiceDefinition;

const log = createLogger('silent');
const open: { close(): unknown }[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});
const newFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-grpc-tls-'));
  folders.push(folder);
  return folder;
};
const newAuthority = () => createAuthority(newFolder());

/** Writes the files of an identity; another call for the same folder replaces them. */
function filesOf({ certificate, key, roots }: Identity, folder = newFolder()) {
  const files = { certificateFile: 'certificate.pem', keyFile: 'key.pem', caFile: 'ca.pem' };
  for (const [name, text] of [
    [files.certificateFile, certificate],
    [files.keyFile, key],
    [files.caFile, roots],
  ] as const) {
    writeFileSync(join(folder, name), text);
  }
  return Object.fromEntries(Object.entries(files).map(([key_, name]) => [key_, join(folder, name)])) as typeof files;
}

/** Reads what {@link filesOf} has written. */
const identityOf = ({ certificateFile, keyFile, caFile }: ReturnType<typeof filesOf>) => ({
  certificate: readFileSync(certificateFile),
  key: readFileSync(keyFile),
  roots: readFileSync(caFile),
});

async function startServer(tls: object): Promise<TestMesh> {
  const mesh = await startTestMesh([echo], { config: { grpc: { tls: { refreshMs: 100, ...tls } } } });
  open.push(mesh);
  return mesh;
}

async function call({ host }: TestMesh, token: string, given: Partial<Parameters<typeof createGrpcTransport>[0]>) {
  const transport: GrpcTransport = createGrpcTransport({
    ...{ address: `localhost:${host.grpcPort}`, methods: EchoService.methods, retries: false },
    ...given,
  });
  try {
    const options = { headers: { authorization: `Bearer ${token}` }, timeoutMs: 3000 };
    return (await createClient(EchoService, transport).unary({ text: 'hi' }, options)).text;
  } catch (error) {
    return Code[(error as ConnectError).code];
  } finally {
    transport.close();
  }
}
const clientTls = (files: object) => readGrpcTls(create(GrpcTlsConfigSchema, { refreshMs: 100, ...files }), log);
const tokenOf = async ({ host }: TestMesh) => (await host.signer?.sign(testPrincipal())) as string;
const host = 'DNS:localhost,IP:127.0.0.1';

describe.skipIf(!hasOpenssl && skipped('openssl', 6, 'apt-get install openssl'))('gRPC with TLS', () => {
  const both = (authority: Authority) =>
    [filesOf(authority.issue(host)), filesOf(authority.issue('DNS:caller'))] as const;

  test('only callers with a certificate of the authority get through, and no plaintext', async () => {
    const authority = newAuthority();
    const [server, caller] = both(authority);
    const mesh = await startServer(server);
    const token = await tokenOf(mesh);
    expect(await call(mesh, token, { tls: clientTls(caller) })).toBe('hi');
    expect(await call(mesh, token, {})).toBe('Unavailable');
    const stranger = filesOf({ ...newAuthority().issue('DNS:caller'), roots: authority.issue('DNS:x').roots });
    expect(await call(mesh, token, { tls: clientTls(stranger) })).toBe('Unavailable');
  });

  test('a caller refuses a server of another authority, and one whose certificate names another host', async () => {
    const authority = newAuthority();
    const [server, caller] = both(authority);
    const mesh = await startServer(server);
    const token = await tokenOf(mesh);
    const trustsOthers = filesOf({ ...authority.issue('DNS:caller'), roots: newAuthority().issue('DNS:x').roots });
    expect(await call(mesh, token, { tls: clientTls(trustsOthers) })).toBe('Unavailable');
    const elsewhere = await startServer(filesOf(authority.issue('DNS:elsewhere')));
    expect(await call(elsewhere, await tokenOf(elsewhere), { tls: clientTls(caller) })).toBe('Unavailable');
  });

  test('without the requirement a caller needs only to trust the server', async () => {
    const authority = newAuthority();
    const mesh = await startServer({ ...filesOf(authority.issue(host)), requireClientCertificate: false });
    const stranger = filesOf({ ...newAuthority().issue('DNS:caller'), roots: authority.issue('DNS:x').roots });
    expect(await call(mesh, await tokenOf(mesh), { tls: clientTls(stranger) })).toBe('hi');
  });

  test('certificates are replaced while the process runs; halves of a replacement change nothing', async () => {
    const folder = newFolder();
    const [first, second] = [newAuthority(), newAuthority()];
    const server = filesOf(first.issue(host), folder);
    const mesh = await startServer(server);
    const token = await tokenOf(mesh);
    const ofFirst = clientTls(filesOf(first.issue('DNS:caller')));
    const ofSecond = clientTls(filesOf(second.issue('DNS:caller')));
    expect(await call(mesh, token, { tls: ofFirst })).toBe('hi');
    writeFileSync(server.keyFile, second.issue(host).key);
    rmSync(server.caFile);
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await call(mesh, token, { tls: ofFirst })).toBe('hi');
    }
    filesOf(second.issue(host), folder);
    await expect.poll(() => call(mesh, token, { tls: ofSecond }), { timeout: 20_000, interval: 100 }).toBe('hi');
    expect(await call(mesh, token, { tls: ofFirst })).toBe('Unavailable');
  });

  test('the first connection after the start gets through', async () => {
    const authority = newAuthority();
    const [server, caller] = both(authority);
    const options = { host: '127.0.0.1', port: 0, methods: [], maxMessageBytes: 1 << 20 };
    const started = await startGrpcServer({ ...options, tls: clientTls(server) });
    open.push({ close: () => started.drain(0) });
    const { certificate: cert, key, roots: ca } = identityOf(caller);
    const socket = connect({ host: '127.0.0.1', port: started.port, servername: 'localhost', cert, key, ca });
    const outcome = new Promise((resolve) => {
      socket.once('secureConnect', () => resolve('connected'));
      socket.once('error', resolve);
    });
    expect(await outcome).toBe('connected');
    socket.destroy();
  });

  test('two processes of a mesh call each other with it', async () => {
    const authority = newAuthority();
    const [server, caller] = both(authority);
    const far = await startServer(server);
    const near = defineService({
      name: 'near',
      contracts: [],
      config: () => ({}),
      needs: { echo: { contract: EchoService, calls: ['unary'] } },
      create: async ({ clients }) => ({ impl: {}, clients, close: async () => {} }),
    }) as ServiceDefinition;
    const mesh = await startTestMesh([near], {
      known: [near, echo],
      config: { addresses: { echo: `localhost:${far.host.grpcPort}` }, grpc: { tls: { ...caller, refreshMs: 100 } } },
    });
    open.push(mesh);
    const { clients } = mesh.host.running('near') as unknown as {
      clients: { echo: { unary(request: object, options: object): Promise<{ text: string }> } };
    };
    const headers = { authorization: `Bearer ${await tokenOf(far)}` };
    expect((await clients.echo.unary({ text: 'across' }, { headers })).text).toBe('across');
  });

  test('files that cannot be used stop the start, by the names of their settings', async () => {
    const [server] = both(newAuthority());
    const read = (files: object) => () => clientTls({ ...server, ...files });
    expect(read({ keyFile: '/nowhere/key.pem' })).toThrow(/grpc\.tls\.key_file: cannot be read \(ENOENT\)/);
    expect(read({ keyFile: both(newAuthority())[0].keyFile })).toThrow(
      /grpc\.tls: certificate_file and key_file are no pair/,
    );
    expect(read({ caFile: server.keyFile })).toThrow(/grpc\.tls\.ca_file: has no certificate/);
  });
});
