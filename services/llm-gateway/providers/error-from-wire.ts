import { type ReadHeader, retryAfterMs } from '#kit/http/retry-after.ts';
import { ProviderError } from './error.ts';
import { classOfCode, classOfMessage, classOfStatus, type FailureClass } from './error-table.ts';

/** A failure as a provider sends it, in an HTTP response or inside a stream. */
export interface WireFailure {
  /** HTTP status; `undefined`: no response, or a failure inside a stream. */
  status: number | undefined;
  /** The provider's codes, the most exact one first: "insufficient_quota", "ECONNREFUSED". */
  codes: readonly string[];
  /** The provider's text. It classifies failures without a code, and is never passed to callers. */
  text: string;
  header: ReadHeader;
}

const noHeader: ReadHeader = () => undefined;
const maxTextLength = 2000;

/**
 * Reads a failure from the body of an error, in each shape that providers use: `{error: {code, type, message}}`, `{error: "text"}`,
 * flat `{code, type, message}`, FastAPI's `{detail}`, TGI's `{error, error_type}` and `{error: {message, http_status_code}}`.
 * `body` is JSON as parsed, or text.
 */
export function readFailure(body: unknown, status?: number, header: ReadHeader = noHeader): WireFailure {
  const outer = recordOf(body);
  const inner = recordOf(outer.error ?? body);
  const innerError = recordOf(inner.innererror);
  const words = [inner.code, innerError.code, inner.type, outer.code, outer.error_type, outer.type];
  const codes = words.filter((word) => typeof word === 'string' && /\D/.test(word)) as string[];
  const texts = [inner.message, outer.error, outer.message, outer.detail, body];
  const text = texts.find((part) => typeof part === 'string') as string | undefined;
  const detail = text ?? (outer.detail === undefined ? '' : JSON.stringify(outer.detail));
  // LiteLLM sends one type for most errors, and the exact one at the beginning of its text.
  const [, exact] = /^litellm\.(\w+)/.exec(text ?? '') ?? [];
  if (exact !== undefined) codes.unshift(exact);
  return {
    status: status ?? statusOf(inner.http_status_code) ?? statusOf(inner.code) ?? statusOf(inner.status),
    codes: [...new Set(codes)],
    text: String(detail).slice(0, maxTextLength),
    header,
  };
}

/** Returns whether a content filter refused the request or its answer: an outcome, not an error. */
export function isFiltered({ codes }: WireFailure): boolean {
  return filterCode(codes) !== undefined;
}

/** Returns the content filter's code; `undefined`: it was not a content filter. */
export function filterCode(codes: readonly string[]): string | undefined {
  return codes.find((code) => classOfCode(code) === 'filtered');
}

/**
 * Returns a provider's failure as a ProviderError. The provider's code has priority over its header `x-should-retry`, and the header over
 * the status; for a bare 400 the text decides. A provider that forbids a retry (`x-should-retry: false`) is never retried.
 */
export function toProviderError(failure: WireFailure, cause?: unknown): ProviderError {
  const { status, codes, text, header } = failure;
  const failureClass = classOf(failure);
  const should = header('x-should-retry');
  const forbidsRetry = should === 'false' && failureClass.remedy === 'retry';
  // A code is one word; anything else is text.
  const word = filterCode(codes) ?? codes.find((code) => /^[\w.:-]{1,64}$/.test(code)) ?? '';
  const wait = retryAfterMs(header) ?? waitInText(text);
  return new ProviderError({
    remedy: forbidsRetry ? 'elsewhere' : failureClass.remedy,
    kind: failureClass.kind,
    message: `${failureClass.message}${word === '' ? '' : ` (${word})`}`,
    status,
    code: word,
    retryAfterMs: failureClass.remedy === 'retry' ? wait : undefined,
    cause,
  });
}

/** Returns the error of a request without a response, or with an interrupted one, by the network's code among the causes. */
export function connectionError(thrown: unknown): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  const code = networkCode(thrown);
  return toProviderError({ status: undefined, codes: code === '' ? [] : [code], text: '', header: noHeader }, thrown);
}

/** Returns the class of a failure. A code for an unspecified failure says less than the text. */
function classOf({ status, codes, text, header }: WireFailure): FailureClass {
  const known = codes
    .map(classOfCode)
    .filter((failureClass) => failureClass !== undefined && failureClass !== 'filtered') as FailureClass[];
  const exact = known.find(({ kind }) => kind !== 'broken');
  if (exact !== undefined) return exact;
  const byText = classOfMessage(text);
  if (byText !== undefined) return byText;
  const [byCode] = known;
  if (byCode !== undefined) return byCode;
  const byStatus = classOfStatus(status);
  if (header('x-should-retry') === 'true' && byStatus.remedy !== 'retry') {
    return { remedy: 'retry', kind: 'broken', message: byStatus.message };
  }
  return byStatus;
}

/** Returns the wait from "Please try again in 1.2s" or "in 340ms", which OpenAI and Azure send without the header. */
function waitInText(text: string): number | undefined {
  const found = /(?:try again in|retry after) (\d+(?:\.\d+)?) ?(ms|milliseconds|s|seconds?)\b/i.exec(text);
  if (found === null) return undefined;
  return Math.ceil(Number(found[1]) * (/^m/i.test(found[2] ?? '') ? 1 : 1000));
}

/** Returns a code such as ECONNREFUSED, which fetch nests in the causes of its error; empty: none. */
function networkCode(thrown: unknown): string {
  let found = '';
  let at: unknown = thrown;
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code)) found = code;
    at = at.cause;
  }
  return found;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function statusOf(value: unknown): number | undefined {
  const status = typeof value === 'string' ? Number(value) : value;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : undefined;
}
