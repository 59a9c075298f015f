import { closeSync, fsyncSync, linkSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Creates a file of a secret, which only this account can read, and leaves one that exists as it is: of processes that start concurrently, all
 * use the content of the first. No process reads half of it, and it is on disk when this returns. The folder must exist.
 */
export function createOnce(path: string, content: string | Uint8Array): void {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, content, { mode: 0o600, flush: true });
  try {
    // A link, other than a rename, never replaces what is there.
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  flushFolder(dirname(path));
}

/** Makes names that were created or renamed in a folder survive a loss of power. */
export function flushFolder(path: string): void {
  // Windows opens no folder.
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  fsyncSync(folder);
  closeSync(folder);
}
