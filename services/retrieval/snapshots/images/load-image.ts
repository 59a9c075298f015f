import { existsSync } from 'node:fs';
import type { SqliteFile } from '#kit/storage/sqlite/file.ts';
import type { ImageUse, Loaded } from '../build/protocol.ts';
import type { SnapshotSource } from '../build/source.ts';
import { catchUp } from './catch-up.ts';
import { readImage } from './image-file.ts';
import { imageKind, imagePath } from './image-name.ts';

/**
 * Reads a corpus from the image that its database names, and brings it to the state that the database has. `among`: the condition that its rows
 * meet. Without a usable image, returns why. An image that is not used is removed by the one that follows it.
 */
export function loadImage(
  db: SqliteFile,
  source: SnapshotSource,
  among: string,
  keepsVectors: boolean,
): Loaded | Exclude<ImageUse, { kind: 'used' }> {
  const imageId = recordedImage(db, source);
  if (imageId === undefined || !existsSync(imagePath(source, imageId))) return { kind: 'none' };
  try {
    const segments = readImage(imagePath(source, imageId), imageId, source, keepsVectors);
    const rowCount = segments.reduce((sum, { rows }) => sum + rows.keys.length, 0);
    const { late, changedCount } = catchUp(db, source, segments, among);
    const image = { kind: 'used', imageId, rowCount, changedCount } as const;
    return { segments: late === undefined ? segments : [...segments, late], image };
  } catch (error) {
    return { kind: 'unusable', reason: error instanceof Error ? error.message : String(error) };
  }
}

function recordedImage(db: SqliteFile, source: SnapshotSource): string | undefined {
  // The first write migrates a database of an earlier release.
  const hasRecords = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'image'").get();
  if (hasRecords === undefined) return undefined;
  const record = db.prepare('SELECT image_id FROM image WHERE corpus_id = ? AND kind = ?');
  return record.get(source.corpusId, imageKind(source))?.image_id as string | undefined;
}
