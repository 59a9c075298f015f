import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Health } from '#gen/health/v1/health_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { defineService } from '../../host/define-service.ts';
import { startConnectServer } from '../../testing/connect.ts';
import { type FaceClients, faces, mountEveryFace } from '../../testing/faces.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import type { CallContext } from '../context.ts';
import { createInvocables } from '../invoke.ts';

const describeCall = (context: CallContext) => {
  const { headers, timeoutMs } = context.forward({ timeoutMs: 60_000 });
  return JSON.stringify({
    method: context.method.name,
    user: context.principal.user,
    header: context.requestHeader.get('x-word'),
    forwarded: new Headers(headers).get('authorization'),
    isCapped: timeoutMs !== undefined && timeoutMs <= 5000,
  });
};

const telling = defineService({
  name: 'echo',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  create: async () => ({
    impl: {
      unary: (_, context) => ({ text: describeCall(context) }),
      async *serverStream(_, context) {
        yield { text: describeCall(context) };
      },
      async clientStream(requests, context) {
        for await (const _ of requests);
        return { text: describeCall(context) };
      },
      async *bidiStream(requests, context) {
        for await (const _ of requests) yield { text: describeCall(context) };
      },
    },
    close: async () => {},
  }),
});

let mesh: TestMesh;
let clients: FaceClients;
beforeAll(async () => {
  mesh = await startTestMesh([telling]);
  clients = await mountEveryFace(mesh);
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
  await mesh.close();
});

async function* one() {
  yield { text: 'a' };
}

describe.each(faces)('over %s', (face) => {
  test('every kind of handler gets the caller, its headers, its time, and its credentials to forward', async () => {
    const client = clients.client(EchoService, face);
    const { headers } = await mesh.as();
    const authorization = new Headers(headers).get('authorization');
    const options = { timeoutMs: 5000, headers: { ...(headers as Record<string, string>), 'x-word': 'w' } };
    const seen = [
      (await client.unary({}, options)).text,
      ...(await collect(client.serverStream({}, options))).map(({ text }) => text),
      (await client.clientStream(one(), options)).text,
      ...(await collect(client.bidiStream(one(), options))).map(({ text }) => text),
    ];
    const methods = ['Unary', 'ServerStream', 'ClientStream', 'BidiStream'];
    expect(seen.map((text) => JSON.parse(text))).toEqual(
      methods.map((method) => ({ method, user: 'ann', header: 'w', forwarded: authorization, isCapped: true })),
    );
  });
});

test('a method whose callers are not identified has no principal and forwards nothing', async () => {
  const failures: unknown[] = [];

  const handlers = {
    check: (_: unknown, context: CallContext) => {
      for (const use of [() => context.principal, () => context.authorization, () => context.forward()]) {
        try {
          use();
        } catch (error) {
          failures.push(error);
        }
      }
      return {};
    },
  };
  await using server = await startConnectServer(createInvocables(Health, handlers, []));
  await server.client(Health, 'connect').check({});
  expect(failures).toMatchObject([{ code: Code.Internal }, { code: Code.Internal }, { code: Code.Internal }]);
});
