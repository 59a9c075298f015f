import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EchoService } from '#gen/ragmesh/testing/v1/echo_pb.ts';
import { startTestMesh, type TestMesh } from '../testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '../testing/postgres.ts';
import { skipped } from '../testing/server.ts';
import { defineService } from './define-service.ts';

interface Schema {
  note: { text: string };
}

/** Keeps the texts that it echoes. */
const keeper = defineService({
  name: 'note-keeper',
  contracts: [EchoService],
  config: () => ({}),
  needs: {},
  async create({ openDatabase }) {
    const db = await openDatabase<Schema>('notes', {
      sqlite: [],
      postgres: ['CREATE TABLE note (text text NOT NULL)'],
    });
    return {
      impl: {
        async unary({ text }) {
          await db.insertInto('note').values({ text }).execute();
          const rows = await db.selectFrom('note').selectAll().orderBy('text').execute();
          return { text: rows.map((row) => row.text).join(' ') };
        },
      },
      close: async () => {},
    };
  },
});

describe.skipIf(!hasPostgres && skipped('postgres', 4, postgresAdvice))('processes over PostgreSQL', () => {
  let server: TestPostgres;
  let database: string;
  let meshes: TestMesh[];
  beforeAll(async () => {
    server = await startPostgres();
    database = await server.createDatabase();
    // One folder: without embedded state, no process has it for itself.
    const first = await startTestMesh([keeper], { config: { storage: { database } } });
    meshes = [first, await startTestMesh([keeper], { dataDir: first.dataDir, config: { storage: { database } } })];
  });
  afterAll(async () => {
    for (const mesh of meshes ?? []) await mesh.close();
    await server[Symbol.asyncDispose]();
  });
  const keep = async (text: string, replica = 0) => {
    const mesh = meshes[replica] as TestMesh;
    return (await mesh.client(EchoService).unary({ text }, await mesh.as())).text;
  };
  const notReady = () => meshes[0]?.host.readiness()[0]?.notReady;

  test('share their records and their folder', async () => {
    expect(await keep('a', 0)).toBe('a');
    expect(await keep('b', 1)).toBe('a b');
  });

  test('are not ready while the server hangs, and continue when it does', async () => {
    server.pause();
    // It waits for the server, or is refused because the server is known to hang.
    const late = keep('c').catch((error: unknown) => String(error));
    await expect.poll(notReady, { timeout: 30_000 }).toBe('storage.database: no reply within 5000 ms');
    server.resume();
    expect(await late).toMatch(/^a b c$|\[unavailable\] the database .*try again/);
    await expect.poll(notReady, { timeout: 30_000 }).toBeUndefined();
    expect(await keep('d')).toMatch(/^a b (c )?d$/);
  });

  test('are not ready while the server is away, say so, and need no restart', async () => {
    await server.stop();
    await expect.poll(notReady, { timeout: 30_000 }).toMatch(/^storage\.database: the database /);
    await expect(keep('x')).rejects.toThrow(/^\[unavailable\] the database .*try again/);
    await server.start();
    await expect.poll(notReady, { timeout: 30_000 }).toBeUndefined();
    expect(await keep('e', 1)).toMatch(/^a b (c )?d e$/);
  });

  test('do not start without it, and say what to do', async () => {
    const storage = { database: 'postgres://ann:secret@127.0.0.1:1/shop', connectTimeoutMs: 300 };
    const start = startTestMesh([keeper], { config: { storage } });
    await expect(start).rejects.toThrow(
      'storage.database: PostgreSQL at 127.0.0.1:1/shop cannot be reached within 300 ms: ECONNREFUSED: start it, or correct the URL',
    );
  });
});
