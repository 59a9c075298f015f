import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type ErrorParts, failedPrecondition, internal, invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { ProviderError } from '../providers/error.ts';
import type { Target } from '../targets/target.ts';

/** Time to try again where the provider gives none, in milliseconds. */
const usualRetryAfterMs = 1000;

/**
 * Returns a provider's failure as an error for callers. `retryAfterMs`: when another try can help; `undefined`: not known.
 * `attemptsLeft`: attempts that the request could still have had; 0: callers that try again multiply those of the gateway. The message
 * is ours; the provider's text stays in `cause`, which is sent to no caller and which only bugs log.
 */
export function toCallerError(
  error: ProviderError,
  target: Target,
  retryAfterMs: number | undefined,
  attemptsLeft?: number,
): ConnectError {
  const model = target.name;
  const message = `${model}: ${target.redact(error.message)}`;
  const metadata = {
    dependency: 'llm provider',
    model,
    ...(attemptsLeft === undefined ? {} : { attempts_left: String(attemptsLeft) }),
  };
  const parts: ErrorParts = { metadata, cause: error };
  const later = { ...parts, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  switch (error.kind) {
    case 'rate-limited':
      return rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, message, {
        ...parts,
        retryAfterMs: retryAfterMs ?? usualRetryAfterMs,
      });
    case 'quota':
    case 'auth':
    case 'model-unknown':
      return failedPrecondition(ErrorReason.PROVIDER_REFUSED, message, parts);
    case 'too-long':
    case 'invalid':
      return invalidArgument(message, parts);
    case 'overloaded':
      if (error.code === 'target_busy') {
        const wait = { ...parts, retryAfterMs: retryAfterMs ?? usualRetryAfterMs };
        return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, wait);
      }
      return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, later);
    case 'timeout':
    case 'broken':
      if (error.code === 'adapter_failed') return internal(error.cause ?? error);
      return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, later);
    default:
      return error.kind satisfies never;
  }
}
