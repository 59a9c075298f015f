import { Code, type ConnectError } from '@connectrpc/connect';
import { errorInfoOf, toRpcError } from '#kit/base/errors.ts';
import type { NodeResponse } from '#kit/http/server/port.ts';
import { errorHeaders, httpStatusOf, sendJson } from '../http/error.ts';
import { isRetriedEnough } from '../openai/error.ts';

/** An error in Anthropic's shape (docs.claude.com/en/api/errors). */
export interface AnthropicError {
  type: 'error';
  error: { type: string; message: string };
  request_id: string | null;
}

/** Anthropic's status of a server that has too much to do. */
const overloadedStatus = 529;

/** An error in Anthropic's shape, from whatever was thrown. */
export function toAnthropicError(thrown: unknown, requestId: string | null): AnthropicError {
  const error = toRpcError(thrown);
  return { type: 'error', error: { type: typeOf(error), message: error.rawMessage }, request_id: requestId };
}

/** HTTP status of an error, as Anthropic's clients expect it. */
export function anthropicStatusOf(error: ConnectError): number {
  switch (errorInfoOf(error)?.reason) {
    case 'MODEL_UNKNOWN':
      return 404;
    case 'BUDGET_EXCEEDED':
      return 402;
    case 'OVERLOADED':
      return overloadedStatus;
    default:
      return httpStatusOf(error);
  }
}

/** Sends an error in Anthropic's shape. */
export function sendAnthropicError(response: NodeResponse, thrown: unknown): void {
  const error = toRpcError(thrown);
  const headers = { ...errorHeaders(error), ...(isRetriedEnough(error) ? { 'x-should-retry': 'false' } : {}) };
  sendJson(response, anthropicStatusOf(error), toAnthropicError(error, requestIdOf(response)), headers);
}

/** The id of the request, which every reply has in a header. */
export function requestIdOf(response: NodeResponse): string | null {
  const id = response.getHeader('x-request-id');
  return typeof id === 'string' ? id : null;
}

function typeOf(error: ConnectError): string {
  switch (errorInfoOf(error)?.reason) {
    case 'MODEL_UNKNOWN':
      return 'not_found_error';
    case 'BUDGET_EXCEEDED':
      return 'billing_error';
    case 'OVERLOADED':
      return 'overloaded_error';
    case 'TOO_LARGE':
      return 'request_too_large';
  }
  switch (error.code) {
    case Code.Unauthenticated:
      return 'authentication_error';
    case Code.PermissionDenied:
      return 'permission_error';
    case Code.ResourceExhausted:
      return 'rate_limit_error';
    case Code.NotFound:
      return 'not_found_error';
    case Code.InvalidArgument:
    case Code.FailedPrecondition:
    case Code.OutOfRange:
    case Code.Unimplemented:
      return 'invalid_request_error';
    case Code.DeadlineExceeded:
      return 'timeout_error';
    default:
      return 'api_error';
  }
}
