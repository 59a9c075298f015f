import { Code, type ConnectError } from '@connectrpc/connect';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import type { NodeResponse } from '#kit/http/server/port.ts';
import { errorHeaders, httpStatusOf, sendJson, toErrorBody } from '../http/error.ts';
import { refusalHeaders } from './rate-headers.ts';

/** An error in OpenAI's shape. */
export interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** An error in OpenAI's shape, from whatever was thrown. */
export function toOpenAiError(thrown: unknown): OpenAiError {
  const error = toRpcError(thrown);
  const { message, reason, fields, metadata = {} } = toErrorBody(error);
  const type = typeOf(reason, error.code);
  return { error: { message, type, param: paramOf(reason, fields?.[0]?.path), code: codeOf(reason, metadata) } };
}

/** HTTP status of an error, as OpenAI's clients expect it. */
export function openAiStatusOf(error: ConnectError): number {
  return errorInfoOf(error)?.reason === 'MODEL_UNKNOWN' ? 404 : httpStatusOf(error);
}

/** Sends an error in OpenAI's shape. */
export function sendOpenAiError(response: NodeResponse, thrown: unknown): void {
  const error = toRpcError(thrown);
  const headers = {
    ...errorHeaders(error),
    ...refusalHeaders(error),
    ...(isRetriedEnough(error) ? { 'x-should-retry': 'false' } : {}),
  };
  sendJson(response, openAiStatusOf(error), toOpenAiError(error), headers);
}

/** Whether the gateway has used all attempts of the request: the clients' own retries would multiply them. */
export function isRetriedEnough(error: ConnectError): boolean {
  return errorInfoOf(error)?.metadata.attempts_left === '0';
}

function typeOf(reason: string, code: Code): string {
  if (reason === 'BUDGET_EXCEEDED') return 'insufficient_quota';
  // Too many bytes are no matter of rate: waiting does not help.
  if (reason === 'TOO_LARGE') return 'invalid_request_error';
  switch (code) {
    case Code.Unauthenticated:
      return 'authentication_error';
    case Code.PermissionDenied:
      return 'permission_error';
    case Code.ResourceExhausted:
      return 'rate_limit_error';
    case Code.InvalidArgument:
    case Code.NotFound:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
    case Code.Unimplemented:
      return 'invalid_request_error';
    default:
      return 'server_error';
  }
}

function paramOf(reason: string, path: string | undefined): string | null {
  return path ?? (reason === 'MODEL_UNKNOWN' ? 'model' : null);
}

function codeOf(reason: string, metadata: Record<string, string>): string | null {
  // The way in which a completion ended is more specific than its code.
  if (metadata.outcome) return metadata.outcome.toLowerCase();
  switch (reason) {
    case '':
      return null;
    case 'CREDENTIALS_MISSING':
    case 'CREDENTIALS_INVALID':
    case 'CREDENTIALS_EXPIRED':
      return 'invalid_api_key';
    case 'MODEL_UNKNOWN':
      return 'model_not_found';
    case 'CONTENT_FILTERED':
      return 'content_filter';
    case 'RATE_LIMITED':
    case 'OVERLOADED':
      return 'rate_limit_exceeded';
    case 'BUDGET_EXCEEDED':
      return 'insufficient_quota';
    default:
      return reason.toLowerCase();
  }
}
