import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { canSee } from '#kit/rpc/access.ts';
import { principalOf } from '#kit/rpc/identity.ts';
import type { PreparedBatch, PreparedDocument, PreparedFailure } from '../prepare/prepared.ts';
import type { JobRecord } from './job-store.ts';
import type { OnBehalfOf } from './run/caller.ts';
import type { IndexClient, IndexEntry } from './run/index-client.ts';

// A caller may write and remove documents that the index does not hold, and those that the caller may see. A job decides with
// the groups that the caller had at the upload, also if another user retries the job.

/** Reports whether the caller may see a document with this access list. */
export function maySee(caller: OnBehalfOf, access: Pick<IndexEntry, 'access'>['access']): boolean {
  const { tenant, user, groups = [] } = caller;
  return canSee(principalOf({ tenant, user, groups: [...groups], roles: [] }), access);
}

/**
 * Returns those of the documents that some version of the index holds and that the caller may not see. A version that is
 * not live counts, because it can become live again. `index` must have the rights of a service.
 */
export async function findHidden(
  index: IndexClient,
  caller: OnBehalfOf,
  documentIds: readonly string[],
): Promise<Set<string>> {
  const held = await index.entriesOfAnyVersion(documentIds);
  return new Set([...held].filter(([, { access }]) => !maySee(caller, access)).map(([documentId]) => documentId));
}

/** Returns the batch with its hidden documents as failures, so that they are neither written nor compared with the index. */
export function refuseHidden(batch: PreparedBatch, hidden: ReadonlySet<string>): PreparedBatch {
  if (hidden.size === 0) return batch;
  const [refused, documents] = [true, false].map((isHidden) =>
    batch.documents.filter(({ documentId }) => hidden.has(documentId) === isHidden),
  ) as [PreparedDocument[], PreparedDocument[]];
  return { ...batch, documents, failures: [...batch.failures, ...refused.map(toRefusal)] };
}

// The message says what the caller can do, and nothing about the document: not its title, its groups, or whether it is live.
function toRefusal({ documentId, origin }: PreparedDocument): PreparedFailure {
  return {
    ...origin,
    reason: ErrorReason.DOCUMENT_PERMISSION,
    message: `"${documentId}" cannot be written with your groups: use another path or id`,
    documentId,
  };
}

// A job has counts, paths and failures of documents that its caller may see. So it exists for its user, for those who have all of its groups, and
// for operators, who answer for the whole corpus.

/** Reports whether a job of the caller's tenant exists for the caller. */
export function mayFollow(principal: Principal, { user, groups }: Pick<JobRecord, 'user' | 'groups'>): boolean {
  return isOperator(principal) || user === principal.user || groups.every((group) => principal.groups.includes(group));
}

/** Reports whether the caller answers for whole corpora. */
export function isOperator({ roles }: Principal): boolean {
  return roles.includes(Role.OPERATOR);
}
