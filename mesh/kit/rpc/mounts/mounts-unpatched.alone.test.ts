import { expect, test } from 'vitest';
import { patchGrpc } from '../grpc/patches.ts';
import { describeMounts } from './mounts.suite.ts';

// Alone in its file: the first server of a process decides whether grpc-js is patched.
describeMounts('grpc-js without patches', { patches: false });

test('grpc.patches: false keeps grpc-js as it is', () => {
  expect(patchGrpc()).toBe(false);
});
