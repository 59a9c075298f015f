import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, invalidArgument, rpcError } from '#kit/errors.ts';

/** A failure in the shape that OpenAI-compatible servers share, from an HTTP reply or from inside a stream. */
export interface ProviderFailure {
  /** HTTP status; undefined: no reply at all, or inside a stream. */
  status: number | undefined;
  /** The server's word for it: "insufficient_quota". */
  code: string;
  /** A header of the reply. */
  header(name: string): string | null | undefined;
}

/** Words of servers for money, quota and policy: trying again does not help. Compared in lower case. */
const finalCodes = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'billing_hard_limit_reached',
  'billing_not_active',
  'account_deactivated',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'enforced_spend_limit_reached',
  'quotaexceeded',
  'setlimitexceeded',
  'arrearage',
  'accountoverdueerror',
  'modelnotopen',
]);
const filterCode =
  /^(?:content_filter|content_policy_violation|datainspectionfailed|data_inspection_failed|sensitive.*|riskdetection)$/;
const tooLongCode = /context_length|string_above_max_length|tokens_limit|request_too_large/;

/** Whether a content filter refused the request: an outcome, not an error. */
export function isFiltered({ code }: ProviderFailure): boolean {
  return filterCode.test(code.toLowerCase());
}

/** The one table from a server's failure to an error of ragmesh. Its message, which may repeat a prompt or a key, goes no further than `cause`. */
export function toProviderError(failure: ProviderFailure, cause: unknown): ConnectError {
  const { status, header } = failure;
  const code = failure.code.toLowerCase();
  const word = failure.code === '' ? '' : ` (${failure.code.slice(0, 64)})`;
  if (finalCodes.has(code)) return refused(`the provider refuses for quota or billing${word}`, cause);
  if (tooLongCode.test(code) || status === 413)
    return invalidArgument('the prompt is longer than the model takes', { cause });
  switch (status) {
    case 401:
    case 403:
      return refused(`the provider refuses the key or the access${word}: check api_key`, cause);
    case 402:
      return refused(`the provider refuses for billing${word}`, cause);
    case 404:
      return refused(`the provider has no such model or address${word}: check model and base_url`, cause);
    case 429: {
      const parts = { retryAfterMs: retryAfterMs(header) ?? 1000, cause };
      return rpcError(
        Code.ResourceExhausted,
        ErrorReason.RATE_LIMITED,
        `the provider's rate limit is reached${word}`,
        parts,
      );
    }
    case 400:
    case 422:
      return invalidArgument(`the provider does not accept the request${word}`, { cause });
    default: {
      const what = status === undefined ? 'broke the connection or failed' : `failed with status ${status}`;
      const wait = retryAfterMs(header);
      return rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, `the provider ${what}${word}`, {
        metadata: { dependency: 'llm provider' },
        ...(wait === undefined ? {} : { retryAfterMs: wait }),
        cause,
      });
    }
  }
}

function refused(message: string, cause: unknown): ConnectError {
  return failedPrecondition(ErrorReason.PROVIDER_REFUSED, message, { cause });
}

/** The longest wait that a server is believed. */
const maxRetryAfterMs = 60_000;

function retryAfterMs(header: ProviderFailure['header']): number | undefined {
  const ms = Number(header('retry-after-ms') ?? header('x-ms-retry-after-ms') ?? Number.NaN);
  const wait = Number.isFinite(ms) ? ms : Number(header('retry-after') ?? Number.NaN) * 1000;
  return Number.isFinite(wait) && wait >= 0 ? Math.min(wait, maxRetryAfterMs) : undefined;
}
