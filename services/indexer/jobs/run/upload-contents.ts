import type { PreparedBatch } from '../../prepare/prepared.ts';

/** What a job has written of a document. */
export interface WrittenDocument {
  chunkCount: number;
  /** Groups that may see it; empty: everyone in the tenant. */
  groups: readonly string[];
  /** Whether its text has neither a letter nor a number. */
  isEmpty: boolean;
  /** What a search for it asks; empty if everyone may see it, or no search would find it. */
  query: string;
}

/** What a job has read from its upload so far. */
export interface UploadContents {
  /** Documents of the upload, by id, with the groups that may see them. */
  seen: Map<string, readonly string[]>;
  /** Ids of documents that could not be read: they do not count as missing. */
  unreadable: Set<string>;
  /** Ids of documents that say that they are drafts. */
  withdrawn: Set<string>;
  /** Whether something could not be read whose document id is not known. */
  hasUnknown: boolean;
  /** Ids of documents that the live version does not hold. */
  created: Set<string>;
  /** Documents that differ from the live version, by id, as they were written. */
  changed: Map<string, WrittenDocument>;
  /** Paths of the files that were read to their end. */
  wholePaths: string[];
}

/** Returns the contents of an upload of which nothing was read yet. */
export function createUploadContents(): UploadContents {
  return {
    seen: new Map(),
    unreadable: new Set(),
    withdrawn: new Set(),
    hasUnknown: false,
    created: new Set(),
    changed: new Map(),
    wholePaths: [],
  };
}

/** Adds a batch to the contents. */
export function addBatch(contents: UploadContents, batch: PreparedBatch): void {
  for (const { documentId, groups } of batch.documents) contents.seen.set(documentId, groups);
  for (const { documentId } of batch.failures) {
    if (documentId === undefined) contents.hasUnknown = true;
    else contents.unreadable.add(documentId);
  }
  for (const { withdrawnId } of batch.notes)
    if (withdrawnId !== undefined) contents.withdrawn.add(withdrawnId.toWellFormed());
  contents.wholePaths.push(...batch.wholePaths);
}
