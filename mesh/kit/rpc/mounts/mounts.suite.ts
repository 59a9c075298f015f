import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter, createConnectTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EchoService } from '#gen/ragmesh/echo/v1/echo_pb.ts';
import { errorInfoOf } from '../../base/errors.ts';
import { collect } from '../../base/streams.ts';
import { echo } from '../../testing/echo.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '../../testing/mesh.ts';
import { createClient } from '../client.ts';
import { createTokenVerifier, loadIdentityKeys } from '../identity.ts';
import { identityInterceptor } from '../interceptors/identity.ts';
import { validationInterceptor } from '../interceptors/validation.ts';

/** The same implementation with the same interceptors on connect-node, as a third face. */
async function startConnect({ dataDir }: TestMesh): Promise<Http2Server> {
  const { impl } = await echo.create({} as never);
  const verifier = createTokenVerifier(loadIdentityKeys(undefined, dataDir).publicKey, Date.now);
  const interceptors = [identityInterceptor(verifier), validationInterceptor()];
  const routes = (router: ConnectRouter) => void router.service(EchoService, impl, { interceptors });
  const server = createServer(connectNodeAdapter({ routes }));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function* texts(...values: string[]) {
  for (const text of values) yield { text };
}

const failure = async (work: Promise<unknown>): Promise<ConnectError> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

/** Declares the tests that every mount passes, as one suite. `grpc`: the configuration of the process under test. */
export function describeMounts(name: string, grpc: MessageInitShape<typeof GrpcConfigSchema> = {}): void {
  describe(name, () => {
    let mesh: TestMesh;
    let options: CallOptions;
    let connected: Client<typeof EchoService>;
    let connectServer: Http2Server;
    beforeAll(async () => {
      mesh = await startTestMesh([echo], { config: { grpc } });
      options = await mesh.as();
      connectServer = await startConnect(mesh);
      const { port } = connectServer.address() as AddressInfo;
      const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: '2' });
      connected = createClient(EchoService, transport);
    });
    afterAll(async () => {
      connectServer.close();
      await mesh.close();
    });

    describe.each(['grpc', 'local', 'connect'] as const)('over %s', (face) => {
      let client: Client<typeof EchoService>;
      beforeAll(() => {
        client = {
          grpc: () => mesh.grpcClient(EchoService),
          local: () => mesh.client(EchoService),
          connect: () => connected,
        }[face]();
      });

      test('every kind of rpc gives its messages back', async () => {
        expect((await client.unary({ text: '你好' }, options)).text).toBe('你好');
        const many = await collect(client.serverStream({ text: 'a', count: 100 }, options));
        expect(many.map(({ text }) => text).join('')).toBe('a'.repeat(100));
        expect(await client.clientStream(texts('a', 'b', 'c'), options)).toMatchObject({ text: 'abc', count: 3 });
        const back = await collect(client.bidiStream(texts('a', 'b'), options));
        expect(back.map(({ text }) => text)).toEqual(['a', 'b']);
      });

      test('a message that breaks a rule of its contract is refused with the field', async () => {
        const error = await failure(client.unary({ text: 'x'.repeat(70_000) }, options));
        expect(error.code).toBe(Code.InvalidArgument);
        expect(error.rawMessage).toContain('text');
        expect(errorInfoOf(error)).toMatchObject({ reason: 'FIELD_INVALID', domain: 'ragmesh' });
        const streamed = await failure(client.clientStream(texts('a', 'x'.repeat(70_000)), options));
        expect(streamed.code).toBe(Code.InvalidArgument);
      });

      test('a call without credentials, or without the role, is refused', async () => {
        expect((await failure(client.unary({ text: 'a' }))).code).toBe(Code.Unauthenticated);
        const forged = { headers: { authorization: 'Bearer a.b.c' } };
        expect(errorInfoOf(await failure(client.unary({ text: 'a' }, forged)))?.reason).toBe('CREDENTIALS_INVALID');
        const auditor = await mesh.as(testPrincipal({ roles: [Role.AUDITOR] }));
        const error = await failure(client.unary({ text: 'a' }, auditor));
        expect(error.code).toBe(Code.PermissionDenied);
        expect(errorInfoOf(error)?.metadata).toEqual({ role: 'reader' });
      });

      test('a consumer that leaves early ends the call', async () => {
        let seen = 0;
        for await (const _ of client.serverStream({ text: 'a', count: 1_000_000 }, options)) {
          if (++seen === 10) break;
        }
        expect(seen).toBe(10);
      });
    });
  });
}
