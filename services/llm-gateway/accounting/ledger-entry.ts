import { toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { type RecordUsageRequest, RecordUsageRequestSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { hasReason } from '#kit/base/errors.ts';

/** An entry that is not in the ledger yet. */
export interface Pending {
  readonly request: RecordUsageRequest;
  readonly principal: Principal;
  authorization: string;
  isResigned: boolean;
  attempts: number;
  /** Entries that audit had taken when this one failed by itself for the first time. */
  deliveredBefore: number | undefined;
}

/** What a failed delivery means for an entry. */
export type Failure =
  /** The caller's token has expired: sign a new one, and try again. */
  | 'expired'
  /** Another attempt would fail in the same way. */
  | 'refused'
  | 'unencodable'
  /** The entry, or audit itself, is at fault: only other entries can show which. */
  | 'failed'
  /** Audit does not answer: every entry would fail. */
  | 'away';

/** Failures that another attempt would meet again: the entry or the caller's token is at fault. */
const refusals: ReadonlySet<Code> = new Set([Code.InvalidArgument, Code.Unauthenticated, Code.PermissionDenied]);
const absences: ReadonlySet<Code> = new Set([
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
  if (absences.has(code)) return 'away';
  return isEncodable(request) ? 'failed' : 'unencodable';
}

function isEncodable(request: RecordUsageRequest): boolean {
  try {
    toBinary(RecordUsageRequestSchema, request);
    return true;
  } catch {
    return false;
  }
}

/** Returns what an entry charges, as log fields. */
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
