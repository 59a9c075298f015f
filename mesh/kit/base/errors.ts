import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  BadRequestSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  RetryInfoSchema,
} from '#gen/google/rpc/error_details_pb.ts';
import { ErrorReason, ErrorReasonSchema } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { enumName } from './enums.ts';

/** The `domain` of every ErrorInfo of ragmesh. */
export const errorDomain = 'ragmesh';

/** Optional parts of an error. */
export interface ErrorParts {
  /** Machine-readable facts about the error; never document text. */
  metadata?: Record<string, string>;
  /** When to try again, in milliseconds from now; sent as google.rpc.RetryInfo. */
  retryAfterMs?: number;
  /** Fields that break a rule; the first of them are sent as google.rpc.BadRequest. */
  violations?: { field: string; description: string }[];
  /** What led here; logged, never sent. */
  cause?: unknown;
}

/**
 * An error that may cross a service: a truthful code, a message for a person that says what to do, and an ErrorInfo
 * for a program. The only way that ragmesh makes such errors. What is long is cut.
 */
export function rpcError(code: Code, reason: ErrorReason, message: string, parts: ErrorParts = {}): ConnectError {
  const details: { desc: DescMessage; value: MessageInitShape<DescMessage> }[] = [
    {
      desc: ErrorInfoSchema,
      value: {
        reason: enumName(ErrorReasonSchema, reason),
        domain: errorDomain,
        metadata: cutValues(parts.metadata ?? {}),
      } as never,
    },
  ];
  if (parts.retryAfterMs !== undefined) {
    const ms = Math.max(0, Math.ceil(parts.retryAfterMs));
    const retryDelay = { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
    details.push({ desc: RetryInfoSchema, value: { retryDelay } as never });
  }
  if (parts.violations !== undefined) {
    details.push({ desc: BadRequestSchema, value: { fieldViolations: cutViolations(parts.violations) } as never });
  }
  return new ConnectError(cut(message, maxMessageLength), code, undefined, details, parts.cause);
}

// An error of gRPC is a block of headers: HTTP/2 ends the connection, with every other call on it, if one is too long, and parts of it
// repeat what the caller has sent.

/** Longest message of an error, in characters. */
const maxMessageLength = 1500;
/** Longest fact of an error, in characters: a value, the path of a field, what is wrong with it. */
const maxFactLength = 300;
/** Most fields that an error names. */
const maxViolations = 12;

function cutValues(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, cut(value, maxFactLength)]));
}

function cutViolations(violations: NonNullable<ErrorParts['violations']>): NonNullable<ErrorParts['violations']> {
  return violations.slice(0, maxViolations).map(({ field, description }) => ({
    field: cut(field, maxFactLength),
    description: cut(description, maxFactLength),
  }));
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 2)} …`.toWellFormed();
}

/** The caller must change the request. */
export function invalidArgument(message: string, parts?: ErrorParts): ConnectError {
  return rpcError(Code.InvalidArgument, ErrorReason.FIELD_INVALID, message, parts);
}

/** A named thing is absent, or not to be seen by the caller. `kind` is a word of the contract: "job". */
export function notFound(kind: string, id: string, reason: ErrorReason = ErrorReason.RESOURCE_NOT_FOUND): ConnectError {
  return rpcError(Code.NotFound, reason, `no ${kind} "${id}"`, { metadata: { kind, id } });
}

/** State must change before the call can succeed. */
export function failedPrecondition(reason: ErrorReason, message: string, parts?: ErrorParts): ConnectError {
  return rpcError(Code.FailedPrecondition, reason, message, parts);
}

/** A store or provider cannot be reached; trying again may help. */
export function unavailable(dependency: string, message: string, cause?: unknown): ConnectError {
  return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, { metadata: { dependency }, cause });
}

/** A dependency is not called for `retryAfterMs`, because it did not reply. */
export function circuitOpen(dependency: string, retryAfterMs: number): ConnectError {
  const message = `the ${dependency} does not reply: circuit open, cooling down`;
  const parts = { metadata: { dependency }, retryAfterMs };
  return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, parts);
}

/** Something between the caller and the service ended a call before its status came. */
export function callInterrupted(cause: unknown): ConnectError {
  const message = 'the call was interrupted on its way: try again if it only reads';
  return rpcError(Code.Unavailable, ErrorReason.CALL_INTERRUPTED, message, { cause });
}

/** Something is larger than allowed. */
export function tooLarge(what: string, limitBytes: number): ConnectError {
  return rpcError(Code.ResourceExhausted, ErrorReason.TOO_LARGE, `${what} is larger than ${limitBytes} bytes`, {
    metadata: { limit_bytes: String(limitBytes) },
  });
}

/** The deadline passed. */
export function deadlineExceeded(message = 'the deadline passed', cause?: unknown): ConnectError {
  return rpcError(Code.DeadlineExceeded, ErrorReason.DEADLINE, message, { cause });
}

/** The caller went away. */
export function cancelled(cause?: unknown): ConnectError {
  return rpcError(Code.Canceled, ErrorReason.CANCELLED, 'the call was cancelled', { cause });
}

/** Returns the error of a call that ends because `signal` has aborted: its reason if that is a deadline, otherwise CANCELLED. */
export function abortedBy({ reason }: AbortSignal): unknown {
  return (reason as { code?: unknown } | undefined)?.code === Code.DeadlineExceeded ? reason : cancelled(reason);
}

/** A bug: no details go out; `cause` is for the log. */
export function internal(cause?: unknown): ConnectError {
  return rpcError(Code.Internal, ErrorReason.INTERNAL, 'internal error', { cause });
}

/**
 * The one normaliser: whatever was thrown, as an error that may cross a service. A ConnectError stays as it is, an
 * abort becomes its reason or `cancelled`, and anything else is a bug: a bare `internal error`.
 */
export function toRpcError(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  if (thrown instanceof DOMException || (thrown instanceof Error && thrown.name === 'AbortError')) {
    if (thrown.name === 'TimeoutError') return deadlineExceeded(undefined, thrown);
    if (thrown.name === 'AbortError') return cancelled(thrown);
  }
  return internal(thrown);
}

/** Returns the ErrorInfo of an error of this process or another one; `undefined` if it has none. */
export function errorInfoOf(thrown: unknown): ErrorInfo | undefined {
  return thrown instanceof ConnectError ? thrown.findDetails(ErrorInfoSchema)[0] : undefined;
}

/** Whether an error carries this reason. */
export function hasReason(thrown: unknown, reason: ErrorReason): boolean {
  return errorInfoOf(thrown)?.reason === enumName(ErrorReasonSchema, reason);
}
