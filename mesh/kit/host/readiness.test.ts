import { readFileSync, writeFileSync } from 'node:fs';
import { Code } from '@connectrpc/connect';
import { afterEach, expect, test } from 'vitest';
import { Health, HealthCheckResponse_ServingStatus as Status } from '#gen/health/v1/health_pb.ts';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { startTestMesh, type TestMesh } from '../testing/mesh.ts';
import { defineService, type ServiceDefinition } from './define-service.ts';
import type { ReadinessCheck } from './readiness.ts';

const open: TestMesh[] = [];
const start = async (...args: Parameters<typeof startTestMesh>) => {
  const mesh = await startTestMesh(...args);
  open.push(mesh);
  return mesh;
};
afterEach(async () => {
  for (const mesh of open.splice(0)) await mesh.close();
});

/** The status and body of a page of the admin port. */
const adminPage = async (mesh: TestMesh, path: string): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${mesh.host.adminPort}${path}`);
  return [response.status, await response.text()];
};

/** An echo that depends on what `checks` check. */
const dependent = (checks: readonly ReadinessCheck[]): ServiceDefinition =>
  defineService({
    name: 'echo',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    create: async () => ({ impl: {}, readiness: checks, close: async () => {} }),
  });

test('readiness and health follow the dependencies of a service, liveness does not', async () => {
  let failure: Error | undefined;
  const check = async () => {
    if (failure !== undefined) throw failure;
  };
  const mesh = await start([dependent([{ name: 'store', check }])]);
  const health = mesh.grpcClient(Health);
  expect((await health.check({ service: EchoService.typeName })).status).toBe(Status.SERVING);
  await expect(health.check({ service: 'unknown' })).rejects.toMatchObject({ code: Code.NotFound });
  const seen: Status[] = [];
  for await (const { status } of health.watch({ service: EchoService.typeName })) {
    seen.push(status);
    if (seen.length === 1) failure = new Error('no route');
    if (seen.length === 2) {
      expect(await adminPage(mesh, '/readyz')).toEqual([503, 'echo: store: no route\n']);
      expect(await adminPage(mesh, '/healthz')).toEqual([200, 'ok\n']);
      failure = undefined;
    }
    if (seen.length === 3) break;
  }
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  expect(await adminPage(mesh, '/readyz')).toEqual([200, 'ready\n']);
});

test('a dependency that is down at the start makes the process not ready, and a hanging one does not delay its replies', async () => {
  const mesh = await start([
    dependent([
      { name: 'dead', check: async () => Promise.reject(Object.assign(new Error('failed'), { code: 'ECONNREFUSED' })) },
      { name: 'hanging', check: () => new Promise(() => {}) },
    ]),
  ]);
  expect(await adminPage(mesh, '/readyz')).toEqual([
    503,
    'echo: dead: failed (ECONNREFUSED); hanging: not checked yet\n',
  ]);
  expect((await mesh.grpcClient(Health).check({ service: '' })).status).toBe(Status.NOT_SERVING);
});

test('a service is ready while one dependency of a group works, and without optional ones; the others are reported', async () => {
  const fail = async () => Promise.reject(new Error('down'));
  const mesh = await start([
    dependent([
      { name: 'vectors', group: 'search', check: fail },
      { name: 'words', group: 'search', check: async () => {} },
      { name: 'counters', isOptional: true, check: fail },
    ]),
  ]);
  expect(await adminPage(mesh, '/readyz')).toEqual([
    200,
    'ready\necho: degraded: vectors: down\necho: degraded: counters: down\n',
  ]);
});

test('a damaged database makes its service not ready until it is restored', async () => {
  const keeper = defineService({
    name: 'keeper',
    contracts: [EchoService],
    config: () => ({}),
    needs: {},
    async create({ openDatabase }) {
      await openDatabase('notes', { sqlite: ['CREATE TABLE note (id INTEGER PRIMARY KEY)'] });
      return { impl: {}, close: async () => {} };
    },
  });
  const mesh = await start([keeper]);
  expect(await adminPage(mesh, '/readyz')).toEqual([200, 'ready\n']);
  const path = `${mesh.dataDir}/keeper/notes.db`;
  const wal = `${path}-wal`;
  const [whole, log] = [readFileSync(path), readFileSync(wal)];
  writeFileSync(path, Buffer.alloc(whole.length, 7));
  writeFileSync(wal, Buffer.alloc(log.length, 7));
  await expect.poll(() => adminPage(mesh, '/readyz')).toEqual([503, expect.stringMatching(/^keeper: notes\.db: /)]);
  expect(await adminPage(mesh, '/healthz')).toEqual([200, 'ok\n']);
  writeFileSync(path, whole);
  writeFileSync(wal, log);
  await expect.poll(() => adminPage(mesh, '/readyz')).toEqual([200, 'ready\n']);
});
