import { createHash } from 'node:crypto';
import { z } from 'zod';
import { invalidArgument } from '#kit/base/errors.ts';
import { secret } from '#kit/host/config/adapter-settings.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { toGuardError } from '#kit/http/guard/guard.ts';
import { htmlContent, markdownContent } from '../../../sources/as-document.ts';
import type { EntryAccess, Fetched, Source, SourceDeps } from '../../../sources/source.ts';
import type { Place, Row, Rows } from './rows.ts';

const settings = {
  engine: z.enum(['postgres', 'mysql']),
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).describe('Usually 5432 for PostgreSQL and 3306 for MySQL'),
  database: z.string().min(1).max(128),
  user: z.string().min(1).max(128),
  password: secret().default(''),
  tls: z.enum(['verify', 'encrypt', 'off']).describe('encrypt: without a check of the certificate').default('verify'),
  query: z
    .string()
    .min(1)
    .max(16_384)
    .describe(
      'A SELECT with the columns id and text, and optionally title, url, updated_at (which only grows) and groups (with commas; * is everyone). Other columns become attributes',
    ),
  format: z.enum(['markdown', 'html']).describe('What the column text holds').default('markdown'),
  page_rows: z.int().min(1).max(10_000).default(500),
  timeout_ms: z.int().min(100).max(600_000).describe('Longest time of one query').default(60_000),
};

/** Rows that the next run reads again: a transaction can commit rows that are older than the last one that was seen. */
const overlapRows = 200;
const known = new Set(['id', 'text', 'title', 'url', 'updated_at', 'groups', 'ragmesh_cursor', 'ragmesh_id']);
const attributeLengthMax = 512;

/** Reads the rows of a query on PostgreSQL or MySQL. The column `id` is the id of an entry. */
export const adapter = defineAdapter({
  settings,
  async create(given, deps: SourceDeps): Promise<Source> {
    const { engine, page_rows } = given;
    if (/;\s*\S/.test(given.query)) throw invalidArgument('settings.settings.query: must be one SELECT');
    const sql = given.query.replace(/;\s*$/, '');
    const open = async (): Promise<Rows> => {
      const [address] = await deps.guard
        .resolve(given.host, given.port)
        .catch((error: unknown) => Promise.reject(toGuardError(error)));
      const place: Place = { ...given, address: address?.address ?? given.host, timeoutMs: given.timeout_ms };
      return engine === 'postgres'
        ? (await import('./postgres.ts')).openPostgresRows(place)
        : (await import('./mysql.ts')).openMysqlRows(place);
    };
    let rows: Promise<Rows> | undefined;
    const connected = (): Promise<Rows> => {
      rows ??= open();
      rows.catch(() => {
        rows = undefined;
      });
      return rows;
    };
    const read = async (text: string, values: readonly string[], signal: AbortSignal): Promise<Row[]> => {
      await deps.pace(signal);
      return (await connected()).read(text, values, signal);
    };
    const hasTime = async (signal: AbortSignal) =>
      (await (await connected()).columns(sql, signal)).includes('updated_at');
    const page = (columns: string, after: string, values: readonly string[], order: string, signal: AbortSignal) =>
      read(
        `SELECT ${columns} FROM (${sql}) AS ragmesh_rows ${after} ORDER BY ${order} LIMIT ${page_rows}`,
        values,
        signal,
      );

    /** Yields all rows in order of id. */
    const byId = async function* (columns: 'all' | 'id' | 'groups', signal: AbortSignal): AsyncIterable<Row[]> {
      const { idText, wanted } = wordsOf(engine, columns);
      for (let last: string | undefined; ; ) {
        const after = last === undefined ? '' : `WHERE ${idText} > ${mark(engine, 1)}`;
        const found = await page(
          `${wanted}, ${idText} AS ragmesh_id`,
          after,
          last === undefined ? [] : [last],
          idText,
          signal,
        );
        yield found;
        if (found.length < page_rows) return;
        last = textOf(found.at(-1)?.ragmesh_id);
      }
    };
    /** Yields rows from a cursor on, in order of their time and id. */
    const byTime = async function* (
      cursor: string,
      signal: AbortSignal,
    ): AsyncIterable<{ rows: Row[]; cursor?: string }> {
      const { idText, timeText } = wordsOf(engine, 'all');
      let last = cursor === '' ? undefined : (JSON.parse(cursor) as [string, string]);
      for (;;) {
        const after =
          last === undefined ? '' : `WHERE (updated_at, ${idText}) > (${mark(engine, 1)}, ${mark(engine, 2)})`;
        const columns = `ragmesh_rows.*, ${timeText} AS ragmesh_cursor, ${idText} AS ragmesh_id`;
        const found = await page(columns, after, last ?? [], `updated_at, ${idText}`, signal);
        const end = found.at(-1);
        // Some rows before the end are read again by the next run.
        const from = found.at(-Math.min(found.length, overlapRows));
        if (end === undefined) return;
        yield {
          rows: found,
          ...(from !== undefined && { cursor: JSON.stringify([textOf(from.ragmesh_cursor), textOf(from.ragmesh_id)]) }),
        };
        if (found.length < page_rows) return;
        last = [textOf(end.ragmesh_cursor), textOf(end.ragmesh_id)];
      }
    };
    // The rows of the last page, so that they need no query of their own.
    let listed = new Map<string, Row>();
    const keep = (found: readonly Row[]) => {
      listed = new Map(found.map((row) => [idOf(row), row]));
      return found.map((row) => ({ id: idOf(row), version: versionOf(row) }));
    };
    return {
      listsAll: false,
      async *changes(cursor, signal) {
        if (!(await hasTime(signal))) {
          for await (const found of byId('all', signal)) yield { entries: keep(found) };
          return;
        }
        for await (const { rows: found, cursor: reached } of byTime(cursor, signal)) {
          yield { entries: keep(found), ...(reached !== undefined && { cursor: reached }) };
        }
      },
      async *ids(signal) {
        for await (const found of byId('id', signal)) yield found.map(idOf);
      },
      async fetch(id, _, signal): Promise<Fetched> {
        const { idText } = wordsOf(engine, 'all');
        const row =
          listed.get(id) ??
          (await page('ragmesh_rows.*', `WHERE ${idText} = ${mark(engine, 1)}`, [id], idText, signal))[0];
        listed.delete(id);
        return row === undefined ? { kind: 'gone' } : { kind: 'content', content: contentOf(row, given.format) };
      },
      async *permissions(signal) {
        for await (const found of byId('groups', signal)) yield found.map(accessOf);
      },
      async close() {
        await (await rows?.catch(() => undefined))?.close();
      },
    };
  },
});

/** Returns the words of an engine: an id as text that is compared byte by byte, and a time with all its digits. */
function wordsOf(engine: 'postgres' | 'mysql', columns: 'all' | 'id' | 'groups') {
  const idText = engine === 'postgres' ? 'CAST(id AS TEXT) COLLATE "C"' : 'CAST(id AS CHAR) COLLATE utf8mb4_bin';
  const timeText = engine === 'postgres' ? 'CAST(updated_at AS TEXT)' : 'CAST(updated_at AS CHAR)';
  const groups = engine === 'postgres' ? 'id, groups' : 'id, `groups`';
  const wanted = columns === 'all' ? 'ragmesh_rows.*' : columns === 'id' ? 'id' : groups;
  return { idText, timeText, wanted };
}

const mark = (engine: 'postgres' | 'mysql', number: number) => (engine === 'postgres' ? `$${number}` : '?');

function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const idOf = (row: Row) => textOf(row.id);

function versionOf({ ragmesh_cursor, ragmesh_id, ...row }: Row): string {
  return createHash('sha256')
    .update(JSON.stringify(Object.entries(row).map(([name, value]) => [name, textOf(value)])))
    .digest('hex')
    .slice(0, 32);
}

function contentOf(row: Row, format: 'markdown' | 'html') {
  const others = Object.entries(row).filter(
    ([name, value]) => !known.has(name) && value !== null && !(value instanceof Uint8Array),
  );
  const attributes = Object.fromEntries(
    others
      .map(([name, value]): [string, string] => [name, textOf(value)])
      .filter(([, text]) => text.length <= attributeLengthMax),
  );
  const article = { title: textOf(row.title), url: textOf(row.url), updated: textOf(row.updated_at), attributes };
  const text = textOf(row.text);
  return format === 'html' ? htmlContent(article, text) : markdownContent(article, text);
}

/** An empty list is no one: only `*` is everyone. */
function accessOf(row: Row): EntryAccess {
  const value: unknown = row.groups;
  const names = Array.isArray(value) ? value.map(String) : textOf(value).split(',');
  const groups = names.map((name) => name.trim()).filter((name) => name !== '');
  return { id: idOf(row), groups: groups.includes('*') ? 'everyone' : groups };
}
