import { afterAll, beforeAll, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { createSlowEcho } from '../../testing/echo.ts';
import { startTestMesh, type TestMesh } from '../../testing/mesh.ts';
import { startTestPipe, type TestPipe } from '../../testing/pipe.ts';

const { service, release } = createSlowEcho();
let mesh: TestMesh;
let pipe: TestPipe;
beforeAll(async () => {
  mesh = await startTestMesh([service]);
  pipe = await startTestPipe(mesh.host.methods);
});
afterAll(async () => {
  await pipe[Symbol.asyncDispose]();
  await mesh.close();
});

test.each(['grpc', 'pipe'] as const)('over %s, a stream has a sign of life before its first message', async (face) => {
  const client = (face === 'grpc' ? mesh.grpcClient : pipe.client)(EchoService);
  const texts: string[] = [];
  // The handler says nothing until headers have come.
  const onHeader = () => release();
  for await (const { text } of client.lateStream({}, { ...(await mesh.as()), onHeader })) {
    texts.push(text);
  }
  expect(texts).toEqual(['late']);
});
