import type { MessageInitShape } from '@bufbuild/protobuf';
import { type CallOptions, type Client, Code, ConnectError } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { errorInfoOf } from '../../base/errors.ts';
import { collect } from '../../base/streams.ts';
import { echo } from '../../testing/echo.ts';
import { type FaceClients, faces, mountEveryFace } from '../../testing/faces.ts';
import { startTestMesh, type TestMesh, testPrincipal } from '../../testing/mesh.ts';

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
    let clients: FaceClients;
    beforeAll(async () => {
      mesh = await startTestMesh([echo], { config: { grpc } });
      options = await mesh.as();
      clients = await mountEveryFace(mesh);
    });
    afterAll(async () => {
      await clients[Symbol.asyncDispose]();
      await mesh.close();
    });

    describe.each(faces)('over %s', (face) => {
      let client: Client<typeof EchoService>;
      beforeAll(() => {
        client = clients.client(EchoService, face);
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
