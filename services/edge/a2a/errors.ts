import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';

/** The domain of the protocol's own reasons. */
const a2aDomain = 'a2a-protocol.org';

/** The protocol's own errors (A2A 1.0, section 3.3.2): the code of each over gRPC, its number over JSON-RPC, and our reason beside it. */
const kinds = {
  TASK_NOT_FOUND: { code: Code.NotFound, number: -32001, reason: ErrorReason.RESOURCE_NOT_FOUND },
  TASK_NOT_CANCELABLE: { code: Code.FailedPrecondition, number: -32002, reason: ErrorReason.NOT_IMPLEMENTED },
  PUSH_NOTIFICATION_NOT_SUPPORTED: {
    code: Code.FailedPrecondition,
    number: -32003,
    reason: ErrorReason.NOT_IMPLEMENTED,
  },
  UNSUPPORTED_OPERATION: { code: Code.FailedPrecondition, number: -32004, reason: ErrorReason.NOT_IMPLEMENTED },
  CONTENT_TYPE_NOT_SUPPORTED: {
    code: Code.InvalidArgument,
    number: -32005,
    reason: ErrorReason.MEDIA_TYPE_UNSUPPORTED,
  },
  EXTENDED_AGENT_CARD_NOT_CONFIGURED: {
    ...{ code: Code.FailedPrecondition, number: -32007, reason: ErrorReason.NOT_IMPLEMENTED },
  },
  VERSION_NOT_SUPPORTED: { code: Code.FailedPrecondition, number: -32009, reason: ErrorReason.NOT_IMPLEMENTED },
} as const;

/** An error of the protocol. */
export type A2aErrorKind = keyof typeof kinds;

/** Returns an error of the protocol: its ErrorInfo follows ours, so that clients of both find theirs. */
export function a2aError(kind: A2aErrorKind, message: string, metadata: Record<string, string> = {}): ConnectError {
  const { code, reason } = kinds[kind];
  const error = rpcError(code, reason, message, { metadata });
  error.details.push({ desc: ErrorInfoSchema, value: { reason: kind, domain: a2aDomain, metadata } });
  return error;
}

/** No task of the caller has this id. */
export function taskNotFound(id: string): ConnectError {
  return a2aError('TASK_NOT_FOUND', `no task "${id.slice(0, 200)}" of yours`);
}

/** Returns the error's ErrorInfo of the protocol and of ragmesh, in JSON as `google.protobuf.Any` has it. */
export function errorDetails(error: ConnectError): object[] {
  return error.findDetails(ErrorInfoSchema).map(({ reason, domain, metadata }) => ({
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    ...{ reason, domain, metadata },
  }));
}

/** Returns the number of an error over JSON-RPC. */
export function jsonRpcCodeOf(error: ConnectError): number {
  for (const { reason, domain } of error.findDetails(ErrorInfoSchema)) {
    if (domain === a2aDomain && Object.hasOwn(kinds, reason)) return kinds[reason as A2aErrorKind].number;
  }
  switch (error.code) {
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.OutOfRange:
      return -32602;
    default:
      return -32603;
  }
}
