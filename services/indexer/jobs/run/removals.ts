import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { DocumentStore } from '../../documents/document-store.ts';
import type { FailureStore } from '../failure-store.ts';
import type { JobRecord } from '../job-store.ts';
import { maySee } from '../rights.ts';
import type { IndexClient } from './index-client.ts';
import type { UploadContents } from './upload-contents.ts';

/**
 * Returns the ids of documents that the new version leaves out: places (rows, lines, parts) that a file of the upload no longer
 * has, documents that have become drafts, all documents of files that are gone at their source (`removedPaths`), and, if the job deletes missing documents, every document that the upload does not hold. What could not be read is not
 * missing, and a document that the caller may not see stays.
 */
export async function findRemovals(
  job: JobRecord,
  contents: UploadContents,
  index: IndexClient,
  stores: { documents: DocumentStore; failures: FailureStore },
  removedPaths: readonly string[],
): Promise<string[]> {
  const isGone = (documentId: string) => !contents.seen.has(documentId) && !contents.unreadable.has(documentId);
  if (job.deleteMissing && !contents.hasUnknown) {
    const missing: string[] = [];
    for await (const { documentId, access } of index.liveEntries()) {
      if (isGone(documentId) && maySee(job, access)) missing.push(documentId);
    }
    return missing;
  }
  if (job.deleteMissing) await stores.failures.add(job.jobId, [missingKept]);
  const placed = [...removedPaths, ...contents.withdrawn].filter(isGone);
  for (const path of [...contents.wholePaths, ...removedPaths]) {
    placed.push(...(await stores.documents.listPlacedIn(job, path)).filter(isGone));
  }
  const live = await index.entries(0n, placed);
  return [...live].filter(([, { access }]) => maySee(job, access)).map(([documentId]) => documentId);
}

/** The failure of an upload whose missing documents were kept: if in doubt, nothing is deleted. */
const missingKept = {
  // Listed after all files of the upload.
  fileIndex: 2 ** 31,
  path: '',
  line: 0,
  reason: ErrorReason.DOCUMENT_CORRUPT,
  message:
    'no missing document was removed, because the ids in the unreadable parts are not known: repair those parts and ' +
    'ingest again',
  documentId: undefined,
};
