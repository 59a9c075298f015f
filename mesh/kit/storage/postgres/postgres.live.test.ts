import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { StorageConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '../../base/log.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '../../testing/postgres.ts';
import { skipped } from '../../testing/server.ts';
import type { Database, Migrations } from '../database.ts';
import { engineOf } from '../engine.ts';
import { createInsert } from '../insert-rows.ts';
import { databaseSuite, type NoteSchema, noteMigrations } from '../suites/database.suite.ts';
import { checkPostgresDatabase, lockNames, openPostgresDatabase } from './database.ts';
import { openPostgres, type PostgresPool } from './pool.ts';
import { readStorage } from './settings.ts';

const log = createLogger('silent');
const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 15_000 });

describe.skipIf(!hasPostgres && skipped('postgres', 23, postgresAdvice))('PostgreSQL', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const openPool = async (init: { database?: string; statementTimeoutMs?: number; poolSize?: number } = {}) => {
    const database = init.database ?? (await server.createDatabase());
    const settings = readStorage(create(StorageConfigSchema, { connectTimeoutMs: 2000, ...init, database }));
    const pool = await openPostgres(settings as NonNullable<typeof settings>, log);
    onTestFinished(() => pool.close());
    return pool;
  };
  const placeOf = (pool: PostgresPool) => ({ pool, schema: 'ragmesh_test', name: 'notes' });
  const openNotes = async (pool: PostgresPool, { postgres = [] }: Migrations = noteMigrations) =>
    openPostgresDatabase<NoteSchema>(placeOf(pool), postgres);

  // The suite opens the same tables several times in a test.
  const pools = new Map<string, PostgresPool>();
  databaseSuite('PostgreSQL', async (migrations) => {
    const name = expect.getState().currentTestName ?? '';
    const pool = pools.get(name) ?? (await openPool());
    pools.set(name, pool);
    return openNotes(pool, migrations);
  });

  test('replicas that start at the same time run each migration once', async () => {
    const database = await server.createDatabase();
    const steps = [...noteMigrations.postgres, `INSERT INTO note VALUES (1, 'x')`];
    const opened = await Promise.all(
      Array.from({ length: 6 }, async () => openNotes(await openPool({ database }), { sqlite: [], postgres: steps })),
    );
    for (const db of opened) expect(await db.selectFrom('note').selectAll().execute()).toHaveLength(1);
    expect(opened.map(engineOf)).toEqual(opened.map(() => 'postgres'));
  });

  test('tables that were removed are reported', async () => {
    const pool = await openPool();
    await openNotes(pool);
    await checkPostgresDatabase(placeOf(pool), noteMigrations.postgres);
    await pool.query('DELETE FROM ragmesh_test.migration');
    await expect(checkPostgresDatabase(placeOf(pool), noteMigrations.postgres)).rejects.toThrow('were replaced');
  });

  test('bytes and text come back as they were, but for U+0000, which becomes U+FFFD', async () => {
    const pool = await openPool();
    const rows = await pool.query<{ bytes: Uint8Array; text: string; list: string[] }>(
      'SELECT $1::bytea AS bytes, $2::text AS text, $3::text[] AS list',
      [Uint8Array.of(0, 1, 255), '退货\0😀', ['a\0', '{"b"}']],
    );
    expect(rows).toEqual([{ bytes: Buffer.from([0, 1, 255]), text: '退货\uFFFD😀', list: ['a\uFFFD', '{"b"}'] }]);
  });

  test('transactions that lock several names in different order do not wait for each other forever', async () => {
    const db = await openNotes(await openPool());
    const names = Array.from({ length: 20 }, (_, index) => `name-${index}`);
    let holderCount = 0;
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        db.transaction().execute(async (tx) => {
          await lockNames(tx, 'test', index % 2 === 0 ? names : names.toReversed());
          expect(++holderCount).toBe(1);
          await tx.selectFrom('note').selectAll().execute();
          holderCount--;
        }),
      ),
    );
  });

  test('of statements that are sent without a wait, a failure is that of the next one, and nothing is kept', async () => {
    const db = await openNotes(await openPool());
    const insert = createInsert((on: Database<NoteSchema>, row: NoteSchema['note']) =>
      on.insertInto('note').values(row),
    );
    const twice = [1, 1].map((id) => ({ id, text: 'x' }));
    const read = db.transaction().execute(async (tx) => {
      await insert(tx, twice);
      return tx.selectFrom('note').selectAll().execute();
    });
    await expect(read).rejects.toMatchObject({ code: '23505' });
    await expect(db.transaction().execute((tx) => insert(tx, twice))).rejects.toMatchObject({ code: '23505' });
    await db.transaction().execute((tx) => insert(tx, [{ id: 2, text: 'kept' }]));
    expect(await db.selectFrom('note').selectAll().execute()).toEqual([{ id: 2, text: 'kept' }]);
  });

  test('a notification reaches its channel, and after a lost connection the listener says so and hears again', async () => {
    const pool = await openPool();
    const heard: (string | undefined)[] = [];
    const stop = new AbortController();
    await pool.listen('news', (payload) => heard.push(payload), stop.signal);
    await pool.listen('other', () => expect.unreachable(), AbortSignal.abort()).catch(() => {});
    const notify = (payload: string) => pool.query('SELECT pg_notify($1, $2)', ['news', payload]);
    await notify('one');
    await eventually(() => heard).toEqual([undefined, 'one']);
    await server.dropConnections();
    await eventually(() => heard).toEqual([undefined, 'one', undefined]);
    await eventually(() =>
      notify('two').then(
        () => 'sent',
        () => 'away',
      ),
    ).toBe('sent');
    await eventually(() => heard).toEqual([undefined, 'one', undefined, 'two']);
    stop.abort();
    await notify('three');
    await pool.query('SELECT pg_sleep(0.05)');
    expect(heard).toHaveLength(4);
  });

  test('while the server is away calls are UNAVAILABLE with advice, and work again when it is back', async () => {
    await using own = await startPostgres();
    const pool = await openPool({ database: await own.createDatabase() });
    const db = await openNotes(pool);
    const read = () => db.selectFrom('note').selectAll().execute();
    await read();
    await own.stop();
    await expect(read()).rejects.toMatchObject({ rawMessage: expect.stringMatching(/^the database .*try again/) });
    await expect(checkPostgresDatabase(placeOf(pool), [])).rejects.toThrow('the database');
    await own.start();
    await eventually(() => read().catch(() => 'away')).toEqual([]);
    await own.kill();
    await expect(read()).rejects.toThrow('the database');
    await own.start();
    await eventually(() => read().catch(() => 'away')).toEqual([]);
  });

  test('connections that are cut in use fail their calls only; a transaction is not half done', async () => {
    const pool = await openPool();
    const db = await openNotes(pool);
    const cut = db.transaction().execute(async (tx) => {
      await tx.insertInto('note').values({ id: 1, text: 'lost' }).execute();
      await server.dropConnections();
      await tx.insertInto('note').values({ id: 2, text: 'lost' }).execute();
    });
    await expect(cut).rejects.toThrow('the database');
    expect(await db.selectFrom('note').selectAll().execute()).toEqual([]);
  });

  test('a server that hangs is waited for, and calls continue when it does', async () => {
    await using own = await startPostgres();
    const pool = await openPool({ database: await own.createDatabase() });
    await pool.query('SELECT 1');
    own.pause();
    const late = pool.query<{ one: number }>('SELECT 1 AS one');
    // All connections hang, so a new one is not ready in time.
    await new Promise((resolve) => setTimeout(resolve, 500));
    own.resume();
    expect(await late).toEqual([{ one: 1 }]);
  });

  test('a server that does not answer any more is not waited for longer than the bound', async () => {
    const pool = await openPool({
      database: await throughSilence(server, await server.createDatabase()),
      statementTimeoutMs: 500, // long enough for the first statements of a connection
    });
    const startMs = performance.now();
    await expect(pool.query('SELECT pg_sleep(60)')).rejects.toThrow('the database');
    expect(performance.now() - startMs).toBeLessThan(20_000);
    expect(await pool.query('SELECT 1 AS one').catch(String)).toBeDefined();
  });

  test('a statement that takes too long is ended by the server', async () => {
    const pool = await openPool({ statementTimeoutMs: 100 });
    await expect(pool.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
      rawMessage: expect.stringContaining('storage.statement_timeout_ms'),
    });
    await pool.transaction((connection) => connection.query('SELECT pg_sleep(0.3)'), 5000);
  });

  test('if all connections are taken, a call waits no longer than the bound', async () => {
    const pool = await openPool({ poolSize: 1 });
    const held = await pool.connect();
    await expect(pool.query('SELECT 1')).rejects.toThrow('the database cannot be reached');
    held.release();
    expect(await pool.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test.each([
    [
      'a server that is away',
      () => 'postgres://ragmesh@127.0.0.1:1/x',
      /127\.0\.0\.1:1\/x cannot be reached within \d+ ms/,
    ],
    [
      'a database that is missing',
      () => `postgres://ragmesh@127.0.0.1:${server.port}/none`,
      /does not exist: create it.*3D000/,
    ],
    ['an unknown user', () => `postgres://eve:secret@127.0.0.1:${server.port}/postgres`, /rejects the user.*28000/],
    [
      'TLS that the server has not',
      () => `postgres://ragmesh@127.0.0.1:${server.port}/postgres?sslmode=require`,
      /SSL/,
    ],
  ])('the start says what is wrong: %s', async (_, urlOf, message) => {
    const failed = openPool({ database: urlOf() });
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.not.toThrow('secret');
  });
});

/** Returns the URL behind a relay that passes the log-in and then nothing that the server says. */
async function throughSilence({ port }: TestPostgres, url: string): Promise<string> {
  const sockets = new Set<Socket>();
  const relay = createServer((socket) => {
    const upstream = connect(port, '127.0.0.1');
    for (const each of [socket, upstream]) sockets.add(each.on('error', () => {}));
    socket.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (!isSilent) socket.write(bytes);
    });
    let isSilent = false;
    socket.on('data', (bytes) => {
      isSilent ||= bytes.includes('pg_sleep');
    });
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const through = new URL(url);
  through.port = String((relay.address() as { port: number }).port);
  return through.href;
}
