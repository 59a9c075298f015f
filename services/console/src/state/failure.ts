import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorInfoSchema, RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';

/** Kind of a failure, by what the user can do about it. */
export type FailureKind =
  /** Give another key. */
  | 'credentials'
  /** Ask an administrator for the right. */
  | 'forbidden'
  /** Wait, then try again. */
  | 'rate_limited'
  /** Try again. */
  | 'unavailable'
  /** Check the connection, then try again. */
  | 'offline'
  /** Try again, or ask for less. */
  | 'deadline'
  /** Change the request. */
  | 'invalid'
  /** It is gone, or the user may not see it. */
  | 'not_found'
  /** The answer ended early: try again. */
  | 'incomplete'
  /** Report it. */
  | 'internal';

/** Why something did not work. */
export interface Failure {
  kind: FailureKind;
  /** Message of the server, in English; may be empty. */
  message: string;
  /** When to try again, in milliseconds from the failure. */
  retryAfterMs?: number;
}

/** Returns the failure of a thrown value. */
export function failureOf(thrown: unknown): Failure {
  const error = ConnectError.from(thrown);
  const kind = kindOf(error);
  const retryAfterMs = retryAfterMsOf(error);
  return {
    kind,
    message: isPlain429(error) ? '' : error.rawMessage,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** Returns the reason that the server has given for an error, such as "CHANGED_MEANWHILE"; empty if it has given none. */
export function reasonOf(thrown: unknown): string {
  return ConnectError.from(thrown).findDetails(ErrorInfoSchema)[0]?.reason ?? '';
}

/** Reports whether a retry of the same request may work. */
export function canRetry(failure: Failure): boolean {
  return failure.kind !== 'forbidden' && failure.kind !== 'invalid' && failure.kind !== 'not_found';
}

function kindOf(error: ConnectError): FailureKind {
  if (error.cause instanceof TypeError) return 'offline'; // fetch throws it for a broken or missing connection
  if (error.cause === 'missing EndStreamResponse') return 'incomplete';
  if (isPlain429(error)) return 'rate_limited';
  switch (error.code) {
    case Code.Unauthenticated:
      return 'credentials';
    case Code.PermissionDenied:
      return 'forbidden';
    case Code.ResourceExhausted:
      return reasonOf(error) === 'TOO_LARGE' ? 'invalid' : 'rate_limited';
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

/** Reports whether a proxy sent the error: an HTTP 429 without an error of Connect, which the client reports as UNAVAILABLE. */
function isPlain429(error: ConnectError): boolean {
  return error.code === Code.Unavailable && error.rawMessage === 'HTTP 429';
}

function retryAfterMsOf(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  if (delay !== undefined) return Number(delay.seconds) * 1000 + Math.ceil(delay.nanos / 1_000_000);
  const seconds = Number.parseInt(error.metadata.get('retry-after') ?? '', 10);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
