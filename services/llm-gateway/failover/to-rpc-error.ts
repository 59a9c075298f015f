import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type ErrorParts, failedPrecondition, internal, invalidArgument, rpcError } from '#kit/base/errors.ts';
import type { ProviderError } from '../providers/error.ts';
import type { Target } from '../targets/target.ts';

/** RetryInfo if the provider gives no time, in milliseconds. */
const defaultRetryAfterMs = 1000;

/**
 * Returns a provider's failure as an error for callers. `retryAfterMs`: time until a retry can succeed; `undefined`: not known.
 * `attemptsLeft`: attempts that the budget still allowed; 0: a caller that retries multiplies the attempts of the gateway. The message is
 * the gateway's own; the provider's text stays in `cause`, which is not sent to callers and is logged only for bugs.
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
        retryAfterMs: retryAfterMs ?? defaultRetryAfterMs,
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
        const wait = { ...parts, retryAfterMs: retryAfterMs ?? defaultRetryAfterMs };
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

/**
 * Returns the error of a request for which no attempt could start: every circuit is open, every target is cooling down, or too little
 * time is left. `retryAfterMs`: time until the first target may be called; `undefined`: not known.
 */
export function noTargetError(targets: readonly Target[], retryAfterMs: number | undefined): ConnectError {
  const names = targets.map(({ name }) => name).join(', ');
  const metadata = { dependency: 'llm provider', model: names };
  const parts = { metadata, retryAfterMs: retryAfterMs ?? defaultRetryAfterMs };
  if (targets.every((target) => target.coolDownMs() > 0)) {
    const message = `the provider's rate limit is reached at ${names}: try again later`;
    return rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, message, parts);
  }
  const message = `${names}: circuit open after consecutive failures, or too little time left: try again later`;
  return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, parts);
}
