import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasCommand, skipped, startTestServer } from '#kit/testing/server.ts';
import type { EntryAccess } from '../../../sources/source.ts';
import { sourceSuite } from '../../../suites/source.suite.ts';
import { openTestSource } from '../../../testing/source-deps.ts';

const never = new AbortController().signal;
const query = 'SELECT id, title, body AS text, link AS url, updated_at, grp AS "groups", price FROM articles';

async function openPlace() {
  const server = await startPostgres();
  const url = new URL(await server.createDatabase());
  const client = new pg.Client({ connectionString: url.href });
  client.on('error', () => {});
  await client.connect();
  await client.query(`CREATE TABLE articles (id BIGINT PRIMARY KEY, title TEXT, body TEXT, link TEXT, grp TEXT, price NUMERIC,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp())`);
  const settings = {
    ...{
      engine: 'postgres',
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1),
      user: url.username,
    },
    ...{ tls: 'off', query, page_rows: 2 },
  };
  return { server, client, settings };
}

describe.skipIf(!hasPostgres && skipped('postgres', 10, postgresAdvice))('a real PostgreSQL', () => {
  sourceSuite('sql (PostgreSQL)', async () => {
    const { server, client, settings } = await openPlace();
    const ids = new Map(['a', 'b', 'c', 'd'].map((name, index) => [name, index + 9]));
    return {
      open: () => openTestSource('sql', settings),
      async put(name, text) {
        const id = String(ids.get(name));
        await client.query(
          `INSERT INTO articles (id, title, body) VALUES ($1, $2, $3)
           ON CONFLICT (id) DO UPDATE SET body = excluded.body, updated_at = clock_timestamp()`,
          [id, name, text],
        );
        return id;
      },
      async remove(name) {
        await client.query('DELETE FROM articles WHERE id = $1', [ids.get(name)]);
      },
      async breakListing() {
        await client.query('ALTER TABLE articles RENAME TO away');
        return async () => {
          await client.query('ALTER TABLE away RENAME TO articles');
        };
      },
      async close() {
        await client.end();
        await server[Symbol.asyncDispose]();
      },
    };
  });

  test('rows are documents with attributes, and say who may see them', async () => {
    const { server, client, settings } = await openPlace();
    await client.query(`INSERT INTO articles (id, title, body, link, grp, price, updated_at) VALUES
      (1, '退货: how', 'Within *30* days.', 'https://x/1', 'support, sales', 12.50, '2026-05-01T10:00:00.123456Z'),
      (2, 'open', 'x', NULL, '*', NULL, '2026-05-01T10:00:00.123456Z'), (3, 'closed', 'x', NULL, '', NULL, '2026-05-02')`);
    const source = await openTestSource('sql', settings);
    const found = await source.fetch('1', '', never);
    expect(found).toMatchObject({ content: { url: 'https://x/1', attributes: { price: '12.50' } } });
    const text = found.kind === 'content' ? Buffer.from(found.content.bytes).toString() : '';
    expect(text).toContain('title: "退货: how"\nupdated: 2026-05-01T10:00:00.123Z\n---\n\nWithin *30* days.');
    expect((await collect(source.permissions?.(never) as AsyncIterable<readonly EntryAccess[]>)).flat()).toEqual([
      { id: '1', groups: ['support', 'sales'] },
      { id: '2', groups: 'everyone' },
      { id: '3', groups: [] },
    ]);
    // Rows of the same microsecond are not lost between pages.
    const pages = await collect(source.changes('', never));
    expect(pages.flatMap(({ entries }) => entries.map(({ id }) => id))).toEqual(['1', '2', '3']);
    await source.close();
    const writing = await openTestSource('sql', { ...settings, query: `${query} WHERE pg_catalog.setval('x', 1) > 0` });
    await expect(collect(writing.ids(never))).rejects.toThrow('the database cannot be read');
    await writing.close();
    await expect(openTestSource('sql', { ...settings, query: 'SELECT 1 AS id; DROP TABLE articles' })).rejects.toThrow(
      'one SELECT',
    );
    const refused = await openTestSource('sql', settings, { allow: [] });
    await expect(collect(refused.ids(never))).rejects.toThrow('no address on the public internet');
    await client.end();
    await server[Symbol.asyncDispose]();
  });

  test('without a time every row is compared', async () => {
    const { server, client, settings } = await openPlace();
    await client.query("INSERT INTO articles (id, body) VALUES (1, 'x'), (2, 'y'), (3, 'z')");
    const source = await openTestSource('sql', { ...settings, query: 'SELECT id, body AS text FROM articles' });
    const versions = async () => (await collect(source.changes('', never))).flatMap(({ entries }) => entries);
    const before = await versions();
    expect(before.map(({ id }) => id)).toEqual(['1', '2', '3']);
    await client.query("UPDATE articles SET body = 'new' WHERE id = 2");
    expect((await versions()).filter(({ version }, index) => version !== before[index]?.version)).toMatchObject([
      { id: '2' },
    ]);
    await source.close();
    await client.end();
    await server[Symbol.asyncDispose]();
  });
});

describe.skipIf(!hasCommand('mariadbd') && skipped('mysql', 7, 'apt-get install mariadb-server'))(
  'a real MySQL',
  () => {
    sourceSuite('sql (MySQL)', async () => {
      const server = await startTestServer({
        command: 'mariadbd',
        args(port, folder) {
          const data = join(folder, 'data');
          mkdirSync(data);
          execFileSync(
            'mariadb-install-db',
            ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--user=root'],
            { stdio: 'ignore' },
          );
          const place = [
            `--datadir=${data}`,
            `--port=${port}`,
            '--bind-address=127.0.0.1',
            `--socket=${join(folder, 's')}`,
          ];
          return ['--no-defaults', '--user=root', '--innodb-flush-log-at-trx-commit=0', ...place];
        },
      });
      const client = await createConnection({
        host: '127.0.0.1',
        port: server.port,
        user: 'root',
        multipleStatements: true,
      });
      await client.query(`CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop; CREATE TABLE articles (id BIGINT PRIMARY KEY, body TEXT,
      updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))`);
      const ids = new Map(['a', 'b', 'c', 'd'].map((name, index) => [name, index + 9]));
      return {
        open: () =>
          openTestSource('sql', {
            ...{ engine: 'mysql', host: '127.0.0.1', port: server.port, database: 'shop', user: 'root', tls: 'off' },
            ...{ query: 'SELECT id, body AS text, updated_at FROM articles', page_rows: 2 },
          }),
        async put(name, text) {
          const id = ids.get(name);
          await client.query('REPLACE INTO articles (id, body) VALUES (?, ?)', [id, text]);
          return String(id);
        },
        async remove(name) {
          await client.query('DELETE FROM articles WHERE id = ?', [ids.get(name)]);
        },
        async breakListing() {
          await client.query('RENAME TABLE articles TO away');
          return async () => {
            await client.query('RENAME TABLE away TO articles');
          };
        },
        async close() {
          await client.end();
          await server[Symbol.asyncDispose]();
        },
      };
    });
  },
);
