import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MoveDeps } from '#kit/host/define-service.ts';
import { isOriginal } from '../documents/originals/name.ts';
import { jobsMigrations } from '../jobs/job-table.ts';
import { sourcesMigrations } from '../sources/records/source-table.ts';
import { recordsMigrations } from './records.ts';

type Deps = Pick<MoveDeps<unknown>, 'folder' | 'copyRecords'>;

/** Moves the indexer's records. Throws if uploads still wait for their jobs: their bytes are in the folder. */
export async function moveIndexer({ folder, copyRecords }: Deps): Promise<void> {
  const uploads = join(folder, 'uploads');
  // Originals stay in the folder: their pages are shown again after the next upload of their documents.
  const names = existsSync(uploads) ? readdirSync(uploads) : [];
  const waiting = names.filter((name) => !isOriginal(name)).length;
  if (waiting > 0) {
    throw new Error(
      `${uploads} has uploads whose jobs are not done: start ragmesh over this folder, wait until they are, and stop it`,
    );
  }
  await copyRecords('jobs', jobsMigrations);
  await copyRecords('records', recordsMigrations);
  await copyRecords('sources', sourcesMigrations);
}
