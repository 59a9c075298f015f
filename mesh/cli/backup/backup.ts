import { copyFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite';
import { folderKeyOf, setFolderKey } from '#kit/storage/encryption/folder-keys.ts';
import type { SqliteFile } from '#kit/storage/sqlite/file.ts';
import { openSqlite } from '#kit/storage/sqlite/open.ts';
import { type CommandContext, CommandError, printJson } from '../command.ts';
import { commonFlags, localHelp, parseFlags } from '../flags.ts';
import { createProgress, type Progress } from '../progress.ts';
import { type FrozenFolder, freezeFolder } from './freeze.ts';
import { type BackupFile, copyFile, type Manifest, manifestName, measureFile, syncFile } from './manifest.ts';
import { fillNewFolder } from './new-folder.ts';

const help = `npm run backup -- --to <folder>

Copies the data folder, while ragmesh runs or not, as it is at one instant: every database, upload and key. The copy
has keys and documents in it: store it as safely as the data folder. The copy of an encrypted folder is encrypted too. \`npm run restore\` makes a data folder of it.

  --to <folder>      the backup; must not exist, or be empty
${localHelp}`;

/** Runs `npm run backup`. */
export async function backup(context: CommandContext): Promise<number> {
  const { values } = parseFlags({ args: context.args, options: { to: { type: 'string' }, ...commonFlags } });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.to === undefined) throw new CommandError(`--to is needed\n\n${help}`);
  const { dataDir } = await context.readConfig(values.config);
  if (!existsSync(dataDir)) throw new CommandError(`there is no data folder ${dataDir}: nothing to back up`);
  const manifest = await backUp(dataDir, values.to, createProgress());
  const sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (values.json)
    printJson({
      folder: values.to,
      created_at: manifest.createdAt,
      files: manifest.files.length,
      size_bytes: sizeBytes,
    });
  else {
    const size = (sizeBytes / 2 ** 20).toFixed(1);
    process.stdout.write(`${manifest.files.length} files (${size} MiB) of ${manifest.createdAt} are in ${values.to}\n`);
  }
  return 0;
}

/** Pages of a database that are copied before others of the process may run. */
const pagesAStep = 1000;

/**
 * Copies a data folder as it is at one instant into `to`. The folder appears with all of its content or not at all. Returns its
 * manifest. Throws CommandError if `to` has content, or a database stays locked.
 */
export async function backUp(dataDir: string, to: string, progress: Progress, lockWaitMs?: number): Promise<Manifest> {
  if (!relative(dataDir, to).startsWith('..') && relative(dataDir, to) !== '') {
    throw new CommandError(`--to: ${to} is inside the data folder: a backup belongs elsewhere, best on another disk`);
  }
  return fillNewFolder(to, '--to', async (partial) => {
    let frozen: FrozenFolder | undefined;
    try {
      // The copy has the key file of the folder, and so its key.
      const key = folderKeyOf(dataDir);
      if (key !== undefined) setFolderKey(partial, key);
      frozen = freezeFolder(dataDir, lockWaitMs);
      const createdAt = new Date(Date.now()).toISOString();
      const files = await copyAll(dataDir, frozen, partial, progress);
      const manifest: Manifest = { format: 1, createdAt, files };
      const manifestPath = join(partial, manifestName);
      writeFileSync(manifestPath, `${JSON.stringify(manifest, null, 2)}\n`);
      await syncFile(manifestPath);
      return manifest;
    } finally {
      frozen?.close();
      progress.end();
    }
  });
}

async function copyAll(dataDir: string, frozen: FrozenFolder, to: string, progress: Progress): Promise<BackupFile[]> {
  const { databases, files } = frozen;
  const total = databases.length + files.length;
  const copied: BackupFile[] = [];
  for (const { path, connection, log } of databases) {
    progress.update(copied.length, total, path);
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true });
    await copyWhole(connection, join(dataDir, path), log, target);
    await syncFile(target);
    copied.push({ path, ...(await measureFile(target)) });
  }
  for (const { path, link, sizeBytes } of files) {
    progress.update(copied.length, total, path);
    const { mode } = statSync(join(dataDir, path), { throwIfNoEntry: false }) ?? statSync(link);
    copied.push({ path, ...(await copyFile(link, join(to, path), mode, sizeBytes)) });
  }
  progress.update(total, total, 'copied');
  return copied.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Copies a database as the connection sees it. One that is encrypted stays so: its file and its log are copied, and the log is
 * written into the copy.
 */
async function copyWhole(connection: SqliteFile, path: string, log: string | undefined, to: string): Promise<void> {
  if (connection instanceof DatabaseSync) {
    await copyDatabase(connection, to, { rate: pagesAStep });
    return;
  }
  await copyFile(path, to, 0o600);
  if (log !== undefined) copyFileSync(log, `${to}-wal`);
  const copy = openSqlite(to);
  try {
    copy.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } finally {
    copy.close();
  }
}
