import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { DocumentStore } from '../../documents/document-store.ts';
import type { FailureStore } from '../failure-store.ts';
import type { JobRecord } from '../job-queue.ts';
import { maySee } from '../rights.ts';
import type { Found } from './found.ts';
import type { IndexClient } from './index-client.ts';

/**
 * Documents that the new version leaves out: places (rows, lines, parts) that a file of the upload had and has no more, and,
 * where the job removes what is missing, every document that the upload does not hold. What could not be read is not missing,
 * and a document that the caller may not see stays.
 */
export async function findRemovals(
  job: JobRecord,
  found: Found,
  index: IndexClient,
  stores: { documents: DocumentStore; failures: FailureStore },
): Promise<string[]> {
  const isGone = (documentId: string) => !found.seen.has(documentId) && !found.unreadable.has(documentId);
  if (job.deleteMissing && !found.hasUnknown) {
    const missing: string[] = [];
    for await (const { documentId, access } of index.liveEntries()) {
      if (isGone(documentId) && maySee(job, access)) missing.push(documentId);
    }
    return missing;
  }
  if (job.deleteMissing) await stores.failures.add(job.jobId, [keptBack]);
  const placed: string[] = [];
  for (const path of found.wholePaths) {
    placed.push(...(await stores.documents.listPlacedIn(job, path)).filter(isGone));
  }
  const live = await index.entries(0n, placed);
  return [...live].filter(([, { access }]) => maySee(job, access)).map(([documentId]) => documentId);
}

/** Deleting on doubt can't be undone by repairing the file; keeping can. */
const keptBack = {
  // After all files of the upload.
  fileIndex: 2 ** 31,
  path: '',
  line: 0,
  reason: ErrorReason.DOCUMENT_CORRUPT,
  message:
    'nothing was removed as missing, because it is not known which documents the unreadable parts hold: repair them and ' +
    'ingest again',
  documentId: undefined,
};
