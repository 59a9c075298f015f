import { Code, ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, invalidArgument, rpcError, unavailable } from '../base/errors.ts';
import { retryAfterMs } from './retry-after.ts';

/**
 * A server's refusal: an HTTP status, and what its body says. The server's text may repeat a document or a key, so it stays in here: it
 * can be asked about, and is in no message, log or error.
 */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: number;
  /** The server's short word for it ("insufficient_quota"); empty if there is none. */
  readonly code: string;
  readonly #text: string;
  readonly #headers: Headers;

  constructor(status: number, body: unknown, headers: Headers) {
    const { code, text } = readErrorBody(body);
    super(`status ${status}${code === '' ? '' : ` ${code}`}`);
    this.status = status;
    this.code = code;
    this.#text = text;
    this.#headers = headers;
  }

  /** Whether the server's text matches; the match's first group if it has one. */
  says(pattern: RegExp): string | undefined {
    const match = pattern.exec(this.#text);
    return match === null ? undefined : (match[1] ?? match[0]);
  }

  /** Time until the server accepts the next request, in milliseconds; `now` in milliseconds since 1970, for a date. */
  retryAfterMs(now: number): number | undefined {
    return retryAfterMs(
      (name) => this.#headers.get(name),
      () => now,
    );
  }
}

/** Code and text of the error bodies that servers send: `{error:{…}}`, `{error:"…"}`, `{code,message}`, `{detail}`, `{error_type}`. */
function readErrorBody(body: unknown): { code: string; text: string } {
  const outer = asObject(body);
  const inner = asObject(outer.error);
  const code = [inner.code, inner.type, outer.code, outer.error_type, outer.type].find(isWord);
  const texts = [inner.message, outer.message, outer.error, outer.detail].filter((part) => typeof part === 'string');
  return { code: code ?? '', text: (texts.join('\n') || JSON.stringify(body ?? '')).slice(0, 10_000) };
}

const asObject = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** A code is a short word, not a sentence that might quote something. */
const isWord = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z][\w.-]{0,63}$/.test(value);

/** Words for money, quota and policy: trying again does not help. Compared in lower case. */
const finalCodes = new Set([
  'insufficient_quota',
  'credit_balance_exhausted',
  'billing_hard_limit_reached',
  'billing_not_active',
  'account_deactivated',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
  'quotaexceeded',
  'setlimitexceeded',
  'arrearage',
  'accountoverdueerror',
  'modelnotopen',
  'accessdenied',
  'accessdenied.unpurchased',
  'allocationquota.freetieronly',
]);
const filterCode = /^(content_filter|content_policy_violation|data_?inspection_?failed|sensitive.*|riskdetection)/i;
const rateCode = /^(throttling|ratelimitexceeded|rate_limit)/i;
const tooLongCode = /context_length_exceeded|string_above_max_length|exceed_context_size/i;
const tooLongText =
  /maximum context length|context size|context length|must have less than \d+ tokens|max(?:imum)? (?:input|sequence) length|range of input length|too many tokens|too long|too large to process/i;

/** Whether a text was longer than the model takes. */
export function isTooLong(failure: HttpFailure): boolean {
  if (tooLongCode.test(failure.code)) return true;
  // Some servers fail with 500 on it.
  return [400, 413, 422, 500].includes(failure.status) && failure.says(tooLongText) !== undefined;
}

/** The one table from what a request to a provider threw to an error that may cross a service; `now` in milliseconds since 1970. */
export function toProviderError(dependency: string, thrown: unknown, now: number): unknown {
  if (thrown instanceof ConnectError || !(thrown instanceof HttpFailure)) return thrown;
  const { status, code } = thrown;
  const word = code === '' ? '' : ` (${code})`;
  const metadata = { dependency, status: String(status), ...(code === '' ? {} : { code }) };
  const parts = { metadata, cause: thrown };
  const refused = (why: string) =>
    failedPrecondition(ErrorReason.PROVIDER_REFUSED, `${dependency} refuses ${why}${word}`, parts);
  const rateLimited = () =>
    rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, `the rate limit of ${dependency} is reached${word}`, {
      ...parts,
      retryAfterMs: thrown.retryAfterMs(now) ?? 1000,
    });
  if (finalCodes.has(code.toLowerCase())) return refused('for quota, billing or access');
  if (filterCode.test(code)) return invalidArgument(`the content filter of ${dependency} refuses a text${word}`, parts);
  const smaller = () =>
    failedPrecondition(
      ErrorReason.PROVIDER_REFUSED,
      `${dependency} takes smaller batches: lower max_batch${word}`,
      parts,
    );
  if (thrown.says(/batch size/i) !== undefined && status < 500) return smaller();
  if (isTooLong(thrown)) return invalidArgument(`a text is longer than ${dependency} takes${word}`, parts);
  if (rateCode.test(code)) return rateLimited();
  switch (status) {
    case 401:
    case 403:
      return refused('the key or the access: check api_key');
    case 402:
      return refused('for billing');
    case 404:
    case 405:
      return refused('the address or the model: check base_url and model');
    case 429:
      return rateLimited();
    case 413:
      return smaller();
    case 400:
    case 422:
      return invalidArgument(`${dependency} does not accept the request${word}`, parts);
    default: {
      if (status >= 300 && status < 400) return refused('by pointing elsewhere: check base_url');
      const wait = thrown.retryAfterMs(now);
      return rpcError(
        Code.Unavailable,
        ErrorReason.DEPENDENCY_UNAVAILABLE,
        `${dependency} failed with status ${status}${word}`,
        { ...parts, ...(wait === undefined ? {} : { retryAfterMs: wait }) },
      );
    }
  }
}

/** UNAVAILABLE: `dependency` cannot be reached, ended early, or is late. */
export function unavailableHttp(dependency: string, problem: string, cause?: unknown): ConnectError {
  return unavailable(dependency, `${dependency} ${problem}`, cause);
}

/** INTERNAL: a reply that breaks the provider's own contract. `problem` names no text of a document. */
export function invalidReply(dependency: string, problem: string): ConnectError {
  return rpcError(
    Code.Internal,
    ErrorReason.PROVIDER_REPLY_INVALID,
    `the reply of ${dependency} cannot be right: ${problem}`,
    {
      metadata: { dependency },
    },
  );
}
