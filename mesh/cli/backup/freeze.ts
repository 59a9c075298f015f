import { copyFileSync, existsSync, linkSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { folderKeyOf } from '#kit/storage/encryption/folder-keys.ts';
import type { SqliteFile } from '#kit/storage/sqlite/file.ts';
import { openSqlite } from '#kit/storage/sqlite/open.ts';
import { CommandError } from '../command.ts';

/** A data folder at one instant: what is copied from it is the state of that instant, whatever a running process writes meanwhile. */
export interface FrozenFolder {
  /**
   * The databases, each with a connection whose reads see the instant. Paths are relative, with `/`. `log`: a copy of the write-ahead log of an
   * encrypted one, as it was at the instant; while the connection reads, nothing later enters the database file itself.
   */
  databases: readonly { path: string; connection: SqliteFile; log: string | undefined }[];
  /**
   * All other files. `link`: a hard link that stays when the file is removed. `sizeBytes`: what the file had at the instant; a file to which lines
   * are added, such as the ends of audit chains, has more later.
   */
  files: readonly { path: string; link: string; sizeBytes: number }[];
  /** Ends the reads and removes the links. */
  close(): void;
}

/** Longest wait for a write of a running process, per database, in milliseconds. */
const longestWaitMs = 10_000;

/** The prefix of the folder with the links, inside the data folder: links do not cross file systems. */
const linkPrefix = '.backup-';

/**
 * Freezes a data folder: takes the write lock of every database, so that no transaction is half done in any of them, begins a read in each,
 * links every other file, and releases the locks. Writers of a running process wait meanwhile: milliseconds, or as long as one of
 * their own transactions takes. The instant is one at which the process could have been killed, so a start over the copy recovers as from
 * a kill. Throws CommandError if a database stays locked.
 */
export function freezeFolder(folder: string, lockWaitMs = longestWaitMs): FrozenFolder {
  removeOldLinks(folder);
  const paths = listFiles(folder);
  const isDatabase = (path: string) => path.endsWith('.db');
  const databasePaths = paths.filter(isDatabase);
  const links = mkdtempSync(join(folder, linkPrefix));
  let writers: SqliteFile[] = [];
  const readers: SqliteFile[] = [];
  const close = () => {
    for (const connection of readers) connection.close();
    rmSync(links, { recursive: true, force: true });
  };
  try {
    writers = lockDatabases(folder, databasePaths, lockWaitMs);
    for (const path of databasePaths) readers.push(pinRead(join(folder, path)));
    const logs = databasePaths.map((path, index) => copyLog(join(folder, path), join(links, `${index}-wal`)));
    const files = listFiles(folder)
      .filter((path) => !isDatabase(path) && !isTemporary(path))
      .map((path, index) => {
        const link = join(links, String(index));
        linkSync(join(folder, path), link);
        return { path, link, sizeBytes: statSync(link).size };
      });
    const databases = databasePaths.map((path, index) => {
      return { path, connection: readers[index] as SqliteFile, log: logs[index] };
    });
    return { databases, files, close };
  } catch (error) {
    close();
    throw error;
  } finally {
    for (const writer of writers) writer.close();
  }
}

/**
 * Takes the write lock of all databases. A thread of the running process serves several of them: while it waits for one that is locked
 * here, a transaction that it has open in another cannot end. So the locks are held only briefly while one is missing.
 */
function lockDatabases(folder: string, paths: readonly string[], lockWaitMs: number): SqliteFile[] {
  const deadlineMs = performance.now() + lockWaitMs;
  const connections: SqliteFile[] = [];
  try {
    for (const path of paths) connections.push(openSqlite(join(folder, path)));
    for (;;) {
      const busy = paths.findIndex((path, index) => !lockDatabase(connections[index] as SqliteFile, path));
      if (busy === -1) return connections;
      for (const connection of connections.slice(0, busy)) connection.exec('ROLLBACK');
      if (performance.now() >= deadlineMs) throw lockFailure(paths[busy] as string, 'database is locked');
      pause(restartMs);
    }
  } catch (error) {
    for (const connection of connections) connection.close();
    throw error;
  }
}

/** Takes the write lock of a database; returns false if it is not free in time. */
// SQLite's own wait sleeps up to 100 ms between two tries and keeps no queue: a process that writes without a pause would win every time.
function lockDatabase(connection: SqliteFile, path: string): boolean {
  const deadlineMs = performance.now() + longestHoldMs;
  for (;;) {
    try {
      connection.exec('BEGIN IMMEDIATE');
      return true;
    } catch (error) {
      if (!isBusy(error)) throw lockFailure(path, error instanceof Error ? error.message : String(error), error);
      if (performance.now() >= deadlineMs) return false;
      pause(retryMs);
    }
  }
}

function lockFailure(path: string, reason: string, cause?: unknown): CommandError {
  return new CommandError(`${path}: ${reason}: nothing was copied; try again in a moment`, { cause });
}

/** Longest time for which locks are held while one is missing, in milliseconds. */
const longestHoldMs = 20;
/** Time after which all locks are tried again, in milliseconds: writers that met a lock look again within 100 ms. */
const restartMs = 20;
/** Time between two tries to lock a database, in milliseconds. */
const retryMs = 0.2;

const sleeper = new Int32Array(new SharedArrayBuffer(4));
function pause(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/** Reports SQLITE_BUSY, also if the code is extended, as after a crash of a writer. */
function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === 5
  );
}

/** Opens a connection that reads the database as it is now until it is closed. */
function pinRead(path: string): SqliteFile {
  const connection = openSqlite(path, { readOnly: true });
  connection.exec('BEGIN');
  connection.prepare('SELECT count(*) FROM sqlite_schema').get();
  return connection;
}

/** Copies the log of an encrypted database, which no one writes now. Returns the path of the copy; `undefined` if there is none. */
function copyLog(path: string, to: string): string | undefined {
  if (folderKeyOf(path) === undefined || !existsSync(`${path}-wal`)) return undefined;
  copyFileSync(`${path}-wal`, to);
  return to;
}

/**
 * Reports whether a file means nothing in another process: logs and indexes of SQLite, which the copied databases contain, locks, and images of corpora
 * (services/retrieval/snapshots/images), which are made again.
 */
function isTemporary(path: string): boolean {
  return /(?:\.db-(?:wal|shm|journal)|\.image|(?:^|\/)lock(?:-journal|-wal|-shm)?)$/.test(path);
}

/** Returns the paths of all files under a folder, relative to it, with `/`, sorted. */
function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.startsWith(linkPrefix))
    .sort();
}

/** Removes the links of a backup that was killed. */
function removeOldLinks(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(linkPrefix)) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
