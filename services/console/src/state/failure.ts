import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';

/** What a person can do about a failure, which is what tells failures apart here. */
export type FailureKind =
  /** Give another key. */
  | 'credentials'
  /** Ask somebody for the right. */
  | 'forbidden'
  /** Wait, then try again. */
  | 'rate_limited'
  /** Try again. */
  | 'unavailable'
  /** Look at the connection, then try again. */
  | 'offline'
  /** Try again, or ask for less. */
  | 'deadline'
  /** Change the request. */
  | 'invalid'
  /** It is gone, or not for this reader. */
  | 'not_found'
  /** The answer broke off: try again. */
  | 'incomplete'
  /** Report it. */
  | 'internal';

/** Why something did not work. */
export interface Failure {
  kind: FailureKind;
  /** What the server said, in English; may be empty. */
  message: string;
  /** When to try again, in milliseconds from the failure. */
  retryAfterMs?: number;
}

/** A thrown value as a failure. */
export function failureOf(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const kind = kindOf(error);
  const retryAfterMs = retryAfterMsOf(error);
  return { kind, message: error.rawMessage, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/** Whether the same request may work when it is made again. */
export function canRetry(failure: Failure): boolean {
  return failure.kind !== 'forbidden' && failure.kind !== 'invalid' && failure.kind !== 'not_found';
}

function kindOf(error: ConnectError): FailureKind {
  if (error.cause instanceof TypeError) return 'offline'; // fetch's word for a broken or missing connection
  if (error.cause === 'missing EndStreamResponse') return 'incomplete';
  switch (error.code) {
    case Code.Unauthenticated:
      return 'credentials';
    case Code.PermissionDenied:
      return 'forbidden';
    case Code.ResourceExhausted:
      return error.findDetails(ErrorInfoSchema)[0]?.reason === 'TOO_LARGE' ? 'invalid' : 'rate_limited';
    case Code.Unavailable:
    case Code.Aborted:
    case Code.Canceled:
      return 'unavailable';
    case Code.DeadlineExceeded:
      return 'deadline';
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
      return 'invalid';
    case Code.NotFound:
      return 'not_found';
    default:
      return 'internal';
  }
}

function retryAfterMsOf(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay !== undefined) return Number(delay.seconds) * 1000 + Math.ceil(delay.nanos / 1_000_000);
  const seconds = Number.parseInt(error.metadata.get('retry-after') ?? '', 10);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
