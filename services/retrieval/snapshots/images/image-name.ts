import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { SnapshotSource } from '../build/source.ts';

// The files of images are beside the databases that they are of: `t-acme.1-words.<id>.image`.

const ending = '.image';

/** Returns the path of an image. */
export function imagePath(source: SnapshotSource, imageId: string): string {
  return `${prefixOf(source)}${imageId}${ending}`;
}

/** Returns the name of what an image has of a corpus: its words, or the vectors of a table. */
export function imageKind({ vectors }: SnapshotSource): string {
  return vectors?.table ?? 'words';
}

/** Removes the images of a corpus except for one, or all of a tenant, which is given by the path of its database. */
export function removeImages(of: SnapshotSource | string, except?: string): void {
  const prefix = typeof of === 'string' ? tenantPrefix(of) : prefixOf(of);
  const kept = except === undefined ? undefined : `${prefix}${except}${ending}`;
  const folder = dirname(prefix);
  for (const { name } of imagesIn(folder)) {
    const path = join(folder, name);
    if (path.startsWith(prefix) && path !== kept) rmSync(path, { force: true });
  }
}

/** Removes the oldest images of the folder until the others have at most `maxBytes` together with a new one of `newBytes`. */
export function makeRoomForImage(source: SnapshotSource, newBytes: number, maxBytes: number): void {
  const folder = dirname(source.path);
  const prefix = prefixOf(source);
  const others = imagesIn(folder)
    .filter(({ name }) => !join(folder, name).startsWith(prefix))
    .sort((a, b) => a.writtenMs - b.writtenMs);
  let used = others.reduce((sum, { sizeBytes }) => sum + sizeBytes, newBytes);
  for (const { name, sizeBytes } of others) {
    if (used <= maxBytes) return;
    rmSync(join(folder, name), { force: true });
    used -= sizeBytes;
  }
}

function prefixOf(source: SnapshotSource): string {
  return `${tenantPrefix(source.path)}${source.corpusId}-${imageKind(source)}.`;
}

// No other tenant's files begin like this: their names have no dot (sqlite/tenant-files.ts).
function tenantPrefix(path: string): string {
  return `${path.slice(0, -'.db'.length)}.`;
}

function imagesIn(folder: string): { name: string; sizeBytes: number; writtenMs: number }[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .flatMap((name) => {
      const found = statSync(join(folder, name), { throwIfNoEntry: false });
      return found === undefined ? [] : [{ name, sizeBytes: found.size, writtenMs: found.mtimeMs }];
    });
}
