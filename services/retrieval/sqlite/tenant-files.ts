import { existsSync, mkdirSync } from 'node:fs';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { unavailable } from '#kit/base/errors.ts';
import { durableSetup, migrate } from '#kit/storage/database.ts';
import type { Row, Statement, StatementResult } from '#kit/storage/sqlite/protocol.ts';
import type { SqliteConnection, SqliteThread } from '#kit/storage/sqlite/thread.ts';
import { toStoreError } from './errors.ts';
import type { SqliteThreads } from './threads.ts';

/** Databases, one for each tenant, so that nothing can cross from one tenant to another, not even word statistics. */
export interface TenantFiles {
  /** Returns whether the tenant has a database. */
  has(tenant: string): boolean;
  /** Returns the path of the tenant's database, which may not exist. */
  path(tenant: string): string;
  /** Returns the tenants with a database, the most recently used first. */
  list(): Promise<string[]>;
  /** Records the use of a tenant's database, for the order of {@link list} after a restart. A failure is harmless. */
  noteUse(tenant: string, nowMs: number): Promise<void>;
  /** Returns the rows of a query; none if the tenant has no database. Sees every write that was acknowledged before. */
  read(tenant: string, statement: Statement, signal: AbortSignal): Promise<Row[]>;
  /** Like {@link read}, in the thread that writes: for a query of a change that reads many rows, so that no search waits for it. */
  scan(tenant: string, statement: Statement): Promise<Row[]>;
  /** Runs statements in one durable transaction, all or none. Creates the database if it does not exist. */
  write(tenant: string, statements: readonly Statement[]): Promise<StatementResult[]>;
  /**
   * Removes what deleted rows have left in the tenant's files: runs statements of the store first, then writes the log into the database and
   * empties it. Throws UNAVAILABLE if readers hold it up.
   */
  scrub(tenant: string, statements?: readonly Statement[]): Promise<void>;
  close(): Promise<void>;
}

/** Options of {@link createTenantFiles}. */
export interface TenantFilesOptions {
  /** Folder of the files. */
  folder: string;
  /** The store's name in errors: "vector store". */
  name: string;
  threads: SqliteThreads;
  /** See openDatabase of #kit/storage/database.ts. */
  migrations: readonly string[];
  /** Paths of SQLite extensions. */
  extensions?: readonly string[];
  /** Tenants whose connections are kept open. @default 32 */
  maxOpen?: number;
}

/** Times that a checkpoint is tried. */
const maxCheckpoints = 5;

interface OpenFile {
  path: string;
  writer: Promise<SqliteConnection>;
  readers: (Promise<SqliteConnection> | undefined)[];
  useCount: number;
}

// Small corpora are read through the memory map. What is mapped counts as memory of the process, once for each connection: 256 MB each were more than
// all copies in memory of a million chunks.
const pagePragmas = ['PRAGMA cache_size = -8192', 'PRAGMA mmap_size = 33554432'];

/** Creates the databases of one kind. Connections open at their first use, and idle ones close when too many are open. */
export function createTenantFiles(options: TenantFilesOptions): TenantFiles {
  const { folder, name, threads, migrations, extensions = [], maxOpen = 32 } = options;
  mkdirSync(folder, { recursive: true });
  // In order of last use.
  const open = new Map<string, OpenFile>();
  const closing = new Set<Promise<void>>();
  const pathOf = (tenant: string) => join(folder, `${fileNameOf(tenant)}.db`);

  const openWriter = async (path: string) => {
    const setup = [...durableSetup, ...pagePragmas];
    const connection = await threads.writer.open({ path, extensions, setup });
    await migrate(connection, migrations);
    return connection;
  };
  const openReader = async (file: OpenFile, reader: SqliteThread) => {
    // The writer creates and migrates the file first.
    await file.writer;
    const setup = ['PRAGMA query_only = ON', 'PRAGMA busy_timeout = 10000', ...pagePragmas];
    return reader.open({ path: file.path, extensions, setup });
  };
  const use = async <T>(tenant: string, work: (file: OpenFile) => Promise<T>): Promise<T> => {
    let file = open.get(tenant);
    if (file === undefined) {
      const path = pathOf(tenant);
      file = { path, writer: openWriter(path), readers: [], useCount: 0 };
    }
    open.delete(tenant);
    open.set(tenant, file);
    file.useCount++;
    closeIdle();
    try {
      return await work(file);
    } catch (error) {
      // The next use tries to open the file again.
      await file.writer.catch(() => open.get(tenant) === file && open.delete(tenant));
      throw toStoreError(error, name);
    } finally {
      file.useCount--;
    }
  };
  const closeIdle = () => {
    for (const [tenant, file] of open) {
      if (open.size <= maxOpen) return;
      if (file.useCount > 0) continue;
      open.delete(tenant);
      const closed = closeFile(file).finally(() => closing.delete(closed));
      closing.add(closed);
    }
  };

  return {
    has: (tenant) => open.has(tenant) || existsSync(pathOf(tenant)),
    path: pathOf,
    async list() {
      const names = (await readdir(folder)).filter((file) => file.endsWith('.db'));
      const files = await Promise.all(
        names.map(async (file) => {
          const { atimeMs, mtimeMs } = await stat(join(folder, file));
          return { tenant: tenantOf(file.slice(0, -'.db'.length)), usedMs: Math.max(atimeMs, mtimeMs) };
        }),
      );
      return files.sort((a, b) => b.usedMs - a.usedMs).map(({ tenant }) => tenant);
    },
    async noteUse(tenant, nowMs) {
      const path = pathOf(tenant);
      try {
        await utimes(path, nowMs / 1000, (await stat(path)).mtimeMs / 1000);
      } catch {
        // A file that is gone or belongs to another user keeps its place in the order.
      }
    },
    async read(tenant, { sql, params }, signal) {
      if (!open.has(tenant) && !existsSync(pathOf(tenant))) return [];
      return use(tenant, (file) =>
        threads.read(signal, async (reader, readerIndex) => {
          file.readers[readerIndex] ??= openReader(file, reader).catch((error) => {
            file.readers[readerIndex] = undefined;
            throw error;
          });
          const connection = await (file.readers[readerIndex] as Promise<SqliteConnection>);
          return connection.all(sql, params);
        }),
      );
    },
    async scan(tenant, { sql, params }) {
      if (!open.has(tenant) && !existsSync(pathOf(tenant))) return [];
      return use(tenant, async (file) => (await file.writer).all(sql, params));
    },
    write: (tenant, statements) =>
      use(tenant, async (file) => {
        const connection = await file.writer;
        return connection.transact(statements);
      }),
    async scrub(tenant, statements = []) {
      if (!open.has(tenant) && !existsSync(pathOf(tenant))) return;
      await use(tenant, async (file) => {
        const connection = await file.writer;
        if (statements.length > 0) await connection.transact(statements);
        for (let attempt = 1; ; attempt++) {
          const [row] = await connection.all('PRAGMA wal_checkpoint(TRUNCATE)');
          if (row?.busy === 0) return;
          if (attempt === maxCheckpoints) throw unavailable(name, 'its write-ahead log is being read: try again');
        }
      });
    },
    async close() {
      for (const file of open.values()) closing.add(closeFile(file));
      open.clear();
      await Promise.all(closing);
    },
  };
}

async function closeFile(file: OpenFile): Promise<void> {
  // A connection that never opened has nothing to close, and its caller has the error.
  const connections = await Promise.allSettled([...file.readers, file.writer]);
  for (const result of connections) if (result.status === 'fulfilled') await result.value?.close();
}

/**
 * Returns the file name of a tenant. Two tenants never have the same name, even on a file system that ignores case ("Acme" →
 * `t-_41cme`), and no name is one that a system reserves (`con`).
 */
export function fileNameOf(tenant: string): string {
  const bytes = Buffer.from(tenant, 'utf8');
  let name = 't-';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    name += /[a-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
  }
  return name;
}

/** Returns the tenant of a file name: the reverse of {@link fileNameOf}. */
export function tenantOf(fileName: string): string {
  const bytes = fileName
    .slice('t-'.length)
    .replaceAll(/_([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
