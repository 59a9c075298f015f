import { Code, type ConnectError } from '@connectrpc/connect';
import { BadRequestSchema, RetryInfoSchema } from '#gen/google/rpc/error_details_pb.ts';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import type { NodeResponse } from '#kit/http/server/port.ts';

/** An error as the JSON routes send it. */
export interface ErrorBody {
  /** The code in lower case: "invalid_argument". */
  code: string;
  /** Why, as `ragmesh.common.v1.ErrorReason` names it: "RATE_LIMITED"; empty if the error has none. */
  reason: string;
  /** For a person: what is wrong, and what to do. */
  message: string;
  /** Facts about the error. */
  metadata?: Record<string, string>;
  /** Fields that break a rule. */
  fields?: { path: string; description: string }[];
}

/** Converts any thrown value to an error in JSON. */
export function toErrorBody(thrown: unknown): ErrorBody {
  const error = toRpcError(thrown);
  const info = errorInfoOf(error);
  const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations;
  return {
    code: codeName(error.code),
    reason: info?.reason ?? '',
    message: error.rawMessage,
    ...(info !== undefined && Object.keys(info.metadata).length > 0 ? { metadata: info.metadata } : {}),
    ...(fields ? { fields: fields.map(({ field, description }) => ({ path: field, description })) } : {}),
  };
}

/** Returns the HTTP status of an error. */
export function httpStatusOf(error: ConnectError): number {
  switch (errorInfoOf(error)?.reason) {
    case 'TOO_LARGE':
      return 413;
    case 'MEDIA_TYPE_UNSUPPORTED':
      return 415;
    default:
      return statusByCode[error.code] ?? 500;
  }
}

// As google.rpc.Code says, beside each code.
const statusByCode: Record<Code, number> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** Returns the seconds until a retry, at least 1; `undefined`: the error does not say. */
export function retryAfterSeconds(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Math.max(1, Math.ceil(Number(delay.seconds) + delay.nanos / 1e9));
}

/** Returns the headers that belong to an error. */
export function errorHeaders(error: ConnectError): Record<string, string> {
  const seconds = retryAfterSeconds(error);
  return {
    ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
    ...(error.code === Code.Unauthenticated ? { 'www-authenticate': 'Bearer' } : {}),
  };
}

/** Sends a whole JSON body. */
export function sendJson(
  response: NodeResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(text)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(text);
}

/** Sends an error as the JSON routes do. */
export function sendError(response: NodeResponse, thrown: unknown): void {
  const error = toRpcError(thrown);
  sendJson(response, httpStatusOf(error), toErrorBody(error), errorHeaders(error));
}

function codeName(code: Code): string {
  // Connect writes British "cancelled" as "canceled", as the code's name is.
  return (Code[code] ?? 'Unknown').replace(/(?!^)[A-Z]/g, '_$&').toLowerCase();
}
