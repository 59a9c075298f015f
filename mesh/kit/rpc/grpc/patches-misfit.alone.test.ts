import { expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { collect } from '../../base/streams.ts';
import { echo } from '../../testing/echo.ts';
import { startTestMesh } from '../../testing/mesh.ts';
import { patchGrpc, readGrpcInternals } from './patches.ts';

// Alone in its file: the first call of a process decides whether grpc-js is patched.
test('with a grpc-js that the patches do not fit, a process warns once and runs unpatched', async () => {
  const warned: unknown[] = [];
  const log = { warn: (fields: unknown) => void warned.push(fields) };
  const read = () => ({ ...readGrpcInternals(), version: '1.99.0' });
  expect([patchGrpc({ log, read }), patchGrpc({ log, read })]).toEqual([false, false]);
  expect(warned).toEqual([{ event: 'grpc_patches_skipped', reason: expect.stringContaining('1.99.0') }]);
  await using mesh = await startTestMesh([echo]);
  const stream = mesh.grpcClient(EchoService).serverStream({ text: 'a', count: 50 }, await mesh.as());
  expect(await collect(stream)).toHaveLength(50);
});
