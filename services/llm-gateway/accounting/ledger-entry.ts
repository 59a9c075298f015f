import { toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type RecordUsageRequest, RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { hasReason } from '#kit/base/errors.ts';

/** An entry that the ledger has not confirmed. */
export interface Pending {
  readonly request: RecordUsageRequest;
  readonly principal: Principal;
  authorization: string;
  isResigned: boolean;
  attempts: number;
  /** Whether it is sent in a call of its own, because a call with it has failed. */
  isAlone: boolean;
  /** Entries that audit had accepted when this one failed alone for the first time; `undefined`: it has not. */
  deliveredBefore: number | undefined;
}

/** What a failed delivery means for an entry. */
export type Failure =
  /** The caller's token has expired. */
  | 'expired'
  /** Audit refused it: another attempt would fail in the same way. */
  | 'refused'
  | 'unencodable'
  /** The entry or audit itself is at fault: only other entries can show which. */
  | 'failed'
  /** Audit does not answer: every entry would fail. */
  | 'unavailable';

/** Codes that another attempt would return again: the entry or the caller's token is at fault. */
const refusals: ReadonlySet<Code> = new Set([Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied]);
/** Codes of an audit service that does not answer. */
const unavailableCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.Canceled,
]);

/** Returns what an error means for the entry whose delivery it ended. */
export function failureOf(error: unknown, { request, isResigned }: Pending): Failure {
  const { code } = ConnectError.from(error);
  if (hasReason(error, ErrorReason.CREDENTIALS_EXPIRED) && !isResigned) return 'expired';
  if (refusals.has(code)) return 'refused';
  if (unavailableCodes.has(code)) return 'unavailable';
  return isEncodable(request) ? 'failed' : 'unencodable';
}

/** Returns whether what failed a call with several entries may be the fault of one of them. */
export function isOfOne(error: unknown): boolean {
  return !unavailableCodes.has(ConnectError.from(error).code) && !hasReason(error, ErrorReason.CREDENTIALS_EXPIRED);
}

function isEncodable(request: RecordUsageRequest): boolean {
  try {
    toBinary(RecordUsageRequestSchema, request);
    return true;
  } catch {
    return false;
  }
}

/** Most entries of a call, as the contract has it, and most usages of all of them. */
const maxBatch = 64;
const maxBatchUsages = 256;

/** Removes from the queue what one call delivers, at most `most` entries: those of the caller of the first. */
export function takeBatch(queue: Pending[], most: number): Pending[] {
  const [first] = queue;
  if (first === undefined) return [];
  const batch: Pending[] = [];
  let usageCount = 0;
  const joins = (entry: Pending) =>
    entry === first ||
    (!first.isAlone &&
      !entry.isAlone &&
      entry.authorization === first.authorization &&
      usageCount + entry.request.usages.length <= maxBatchUsages);
  const rest = queue.splice(0, most).filter((entry) => {
    if (batch.length === maxBatch || !joins(entry)) return true;
    usageCount += entry.request.usages.length;
    batch.push(entry);
    return false;
  });
  queue.unshift(...rest);
  return batch;
}

/** Returns the log fields of an entry: the request and what it charges. */
export function fieldsOf({ request, attempts }: Pending) {
  const usages = request.usages.map(({ model, usage }) => ({
    model,
    prompt_tokens: String(usage?.promptTokens ?? 0n),
    completion_tokens: String(usage?.completionTokens ?? 0n),
    cost_micros: String(usage?.costMicros ?? 0n),
    currency: usage?.currency ?? '',
  }));
  return { request_id: request.requestId, trace_id: request.traceId, attempts, usages };
}
