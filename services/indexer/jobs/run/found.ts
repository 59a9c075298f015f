import type { PreparedBatch } from '../../prepare/prepared.ts';

/** What an upload was found to hold. */
export interface Found {
  /** Documents of the upload, with the groups that may see them. */
  seen: Map<string, readonly string[]>;
  /** Documents that could not be read: they are not missing. */
  unreadable: Set<string>;
  /** Something could not be read of which not even the id is known. */
  hasUnknown: boolean;
  /** Documents that the live version doesn't hold. */
  created: Set<string>;
  /** Files that were read to their end. */
  wholePaths: string[];
}

/** Nothing found yet. */
export function createFound(): Found {
  return { seen: new Map(), unreadable: new Set(), hasUnknown: false, created: new Set(), wholePaths: [] };
}

/** Takes note of a batch. */
export function noteFound(found: Found, batch: PreparedBatch): void {
  for (const { documentId, groups } of batch.documents) found.seen.set(documentId, groups);
  for (const { documentId } of batch.failures) {
    if (documentId === undefined) found.hasUnknown = true;
    else found.unreadable.add(documentId);
  }
  found.wholePaths.push(...batch.wholePaths);
}
