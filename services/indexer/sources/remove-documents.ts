import { createHash } from 'node:crypto';
import type { StagedFile } from '../uploads/uploads.ts';
import type { EntryStore } from './records/entry-store.ts';
import type { SourceRecord } from './records/source-store.ts';
import { callerOf } from './run/access.ts';
import type { BatchDeps } from './run/batch.ts';
import { pathOf } from './run/read-entry.ts';

const pageMax = 5000;

/** Adds a job that removes all documents of a source, and returns its id; empty if there are none. */
export async function removeDocuments(
  { sourceId, settings, ...source }: SourceRecord,
  { entries, uploads, jobs, newId, jobAdded }: BatchDeps & { entries: EntryStore },
  signal: AbortSignal,
): Promise<string> {
  const files: StagedFile[] = [];
  const sha256 = createHash('sha256').digest('hex');
  const fromSource = { url: '', hasFixedGroups: true, isRemoved: true };
  for (let afterId = ''; ; ) {
    const ids = await entries.listIds(sourceId, afterId, pageMax);
    for (const id of ids) {
      const path = pathOf(settings.name, id);
      files.push({ path, mediaType: '', offset: 0, sizeBytes: 0, sha256, groups: [], attributes: {}, fromSource });
    }
    afterId = ids.at(-1) ?? '';
    if (ids.length < pageMax) break;
  }
  if (files.length === 0) return '';
  const jobId = newId();
  await uploads.store(jobId, nothing(), () => files, signal);
  const caller = callerOf({ ...source, sourceId, settings });
  await jobs.add({ jobId, ...caller, corpus: settings.corpus, deleteMissing: false, totalBytes: 0 });
  await jobAdded();
  return jobId;
}

async function* nothing(): AsyncIterable<Uint8Array> {}
