import { resolve, sep } from 'node:path';
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

// The keys of the encrypted folders of this process. Databases and files are opened in many threads, by a path that crosses from one to the
// other, so a key is found by the path. Node copies environment data into each thread that starts later.

/** The keys that are derived from the key of a folder. */
export interface FolderKey {
  /** Of its databases: 32 bytes in hex. */
  database: string;
  /** From which the key of each other file is derived: 32 bytes. */
  file: Uint8Array;
}

const name = 'ragmesh: keys of folders';

type FolderKeys = ReadonlyMap<string, FolderKey>;

/** Sets the key of a folder, for this thread and those that start later. */
export function setFolderKey(folder: string, key: FolderKey): void {
  const known = getEnvironmentData(name) as FolderKeys | undefined;
  setEnvironmentData(name, new Map([...(known ?? []), [resolve(folder), key]]) as never);
}

/** Returns the key of the folder that a path is in; `undefined` if it is not encrypted. */
export function folderKeyOf(path: string): FolderKey | undefined {
  const known = getEnvironmentData(name) as FolderKeys | undefined;
  if (known === undefined) return undefined;
  const full = resolve(path);
  for (const [folder, key] of known) if (full === folder || full.startsWith(folder + sep)) return key;
  return undefined;
}
