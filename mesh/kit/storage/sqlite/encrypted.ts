import { createRequire } from 'node:module';
import type { SQLInputValue } from 'node:sqlite';
import { ConfigError } from '../../base/config-error.ts';
import type { SqliteFile, SqliteStatement } from './file.ts';
import type { Row } from './protocol.ts';

// Encrypted databases: SQLite3 Multiple Ciphers, which encrypts each page of the file, its journal and its log. The package has the interface of
// better-sqlite3; here it gets that of node:sqlite, so that all else works with both.

/** What is used of the package, which is an optional peer. */
type Package = new (path: string, options?: { readonly: boolean; timeout: number }) => Native;
interface Native {
  readonly inTransaction: boolean;
  exec(sql: string): unknown;
  prepare(sql: string): NativeStatement;
  loadExtension(path: string): unknown;
  close(): unknown;
}
interface NativeStatement {
  readonly reader: boolean;
  all(...params: readonly SQLInputValue[]): unknown[];
  get(...params: readonly SQLInputValue[]): unknown;
  run(...params: readonly SQLInputValue[]): { changes: number; lastInsertRowid: number | bigint };
  iterate(...params: readonly SQLInputValue[]): IterableIterator<unknown>;
  columns(): readonly unknown[];
  safeIntegers(enabled: boolean): unknown;
  raw(enabled: boolean): unknown;
}

/**
 * AEGIS-256 (draft-irtf-cfrg-aegis-aead): every page has a nonce and a tag of its own. It was the cheapest cipher of the package: 20,000 inserts
 * took 76 ms more of CPU than without encryption, and 367 to 430 ms more with the others.
 */
const cipher = 'aegis';

const packageName = 'better-sqlite3-multiple-ciphers';
const require = createRequire(import.meta.url);

/** Throws ConfigError if the package for encrypted databases is not installed. */
export function requireEncryptedSqlite(): void {
  load();
}

function load(): Package {
  try {
    return require(packageName) as Package;
  } catch (error) {
    const advice = `npm install --no-save --save-prod --omit=dev ${packageName}`;
    const reason = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND' ? '' : ` (${(error as Error).message})`;
    throw new ConfigError('storage.encryption', `needs a package${reason}: ${advice}`);
  }
}

/** Opens an encrypted database, or begins one. `key`: 32 bytes in hex. */
export function openEncrypted(
  path: string,
  key: string,
  { readOnly, timeoutMs }: { readOnly: boolean; timeoutMs: number },
): SqliteFile {
  const Database = load();
  const db: Native = translated(() => new Database(path, { readonly: readOnly, timeout: timeoutMs }));
  // What does not fit into memory would be sorted in a file without encryption.
  for (const sql of [`PRAGMA cipher = '${cipher}'`, `PRAGMA key = 'raw:${key}'`, 'PRAGMA temp_store = MEMORY'])
    db.exec(sql);
  return {
    get isTransaction() {
      return db.inTransaction;
    },
    exec: (sql) => void translated(() => db.exec(sql)),
    prepare: (sql) => toStatement(translated(() => db.prepare(sql))),
    loadExtension: (extension) => void db.loadExtension(extension),
    close: () => void db.close(),
  };
}

/** Encrypts a database that no one has open, in its place. */
export function encryptDatabase(path: string, key: string): void {
  rekey(path, undefined, key);
}

/** Decrypts a database that no one has open, in its place. */
export function decryptDatabase(path: string, key: string): void {
  rekey(path, key, undefined);
}

function rekey(path: string, from: string | undefined, to: string | undefined): void {
  const db: Native = translated(() => new (load())(path));
  try {
    translated(() => {
      if (from !== undefined) db.exec(`PRAGMA cipher = '${cipher}'; PRAGMA key = 'raw:${from}'`);
      // The key of a database with a log cannot change. The next start makes the log again.
      db.exec('PRAGMA journal_mode = DELETE; PRAGMA temp_store = MEMORY');
      if (from === undefined) db.exec(`PRAGMA cipher = '${cipher}'`);
      db.exec(to === undefined ? "PRAGMA rekey = ''" : `PRAGMA rekey = 'raw:${to}'`);
    });
  } finally {
    db.close();
  }
}

function toStatement(statement: NativeStatement): SqliteStatement {
  return {
    all: (...params) => translated(() => statement.all(...params) as Row[]),
    get: (...params) => translated(() => statement.get(...params) as Row | undefined),
    run: (...params) => translated(() => statement.run(...params)),
    *iterate(...params: SQLInputValue[]) {
      const rows = translated(() => statement.iterate(...params));
      try {
        for (let next = translated(() => rows.next()); !next.done; next = translated(() => rows.next())) {
          yield next.value as Row;
        }
      } finally {
        rows.return?.();
      }
    },
    columns: () => (statement.reader ? statement.columns() : []),
    setReadBigInts: (enabled) => void statement.safeIntegers(enabled),
    setReturnArrays: (enabled) => void statement.raw(enabled),
  };
}

/** Result codes by name, as far as ragmesh distinguishes them (https://www.sqlite.org/rescode.html). */
const codes: Readonly<Record<string, number>> = {
  ...{ SQLITE_ERROR: 1, SQLITE_PERM: 3, SQLITE_ABORT: 4, SQLITE_BUSY: 5, SQLITE_LOCKED: 6, SQLITE_NOMEM: 7 },
  ...{ SQLITE_READONLY: 8, SQLITE_INTERRUPT: 9, SQLITE_IOERR: 10, SQLITE_CORRUPT: 11, SQLITE_FULL: 13 },
  ...{ SQLITE_CANTOPEN: 14, SQLITE_SCHEMA: 17, SQLITE_TOOBIG: 18, SQLITE_CONSTRAINT: 19, SQLITE_MISMATCH: 20 },
  ...{ SQLITE_MISUSE: 21, SQLITE_RANGE: 25, SQLITE_NOTADB: 26 },
  ...{ SQLITE_CONSTRAINT_PRIMARYKEY: 1555, SQLITE_CONSTRAINT_UNIQUE: 2067 },
};

/** Runs `work`; its errors get the number that those of node:sqlite have. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (typeof code !== 'string' || !code.startsWith('SQLITE_')) throw error;
    const errcode = codes[code] ?? codes[code.split('_').slice(0, 2).join('_')] ?? 1;
    throw Object.assign(new Error(message, { cause: error }), { code: 'ERR_SQLITE_ERROR', errcode });
  }
}
