import { type ReadHeader, retryAfterMs } from '#kit/http/retry-after.ts';
import { ProviderError } from './error.ts';
import { classOfCode, classOfMessage, classOfStatus, type FailureClass } from './error-table.ts';

/** A failure as a provider's wire shows it, in an HTTP reply or inside a stream. */
export interface WireFailure {
  /** HTTP status; `undefined`: no reply at all, or inside a stream. */
  status: number | undefined;
  /** The provider's words for it, the most exact one first: "insufficient_quota", "ECONNREFUSED". */
  codes: readonly string[];
  /** The provider's text: read for what no code tells, and never handed on. */
  text: string;
  header: ReadHeader;
}

const noHeader: ReadHeader = () => undefined;
const maxTextLength = 2000;

/**
 * Reads a failure from the body of an error, in every shape that providers use: `{error: {code, type, message}}`, `{error: "text"}`,
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
  // LiteLLM has the same type for most of its errors, and the exact one at the beginning of its text.
  const [, exact] = /^litellm\.(\w+)/.exec(text ?? '') ?? [];
  if (exact !== undefined) codes.unshift(exact);
  return {
    status: status ?? statusOf(inner.http_status_code) ?? statusOf(inner.code) ?? statusOf(inner.status),
    codes: [...new Set(codes)],
    text: String(detail).slice(0, maxTextLength),
    header,
  };
}

/** Whether a content filter refused the request or its answer: an outcome, not an error. */
export function isFiltered({ codes }: WireFailure): boolean {
  return filterCode(codes) !== undefined;
}

/** The content filter's word; `undefined` where it was none. */
export function filterCode(codes: readonly string[]): string | undefined {
  return codes.find((code) => classOfCode(code) === 'filtered');
}

/**
 * The one way from a provider's failure to a ProviderError. The provider's code decides before its header `x-should-retry`, that one
 * before the status, and for a bare 400 the text is read. A refusal to be asked again here (`x-should-retry: false`) always counts.
 */
export function toProviderError(failure: WireFailure, cause?: unknown): ProviderError {
  const { status, codes, text, header } = failure;
  const failureClass = classOf(failure);
  const should = header('x-should-retry');
  const isAskedAway = should === 'false' && failureClass.remedy === 'retry';
  // A code is one word; anything else is text.
  const word = filterCode(codes) ?? codes.find((code) => /^[\w.:-]{1,64}$/.test(code)) ?? '';
  const wait = retryAfterMs(header) ?? waitInText(text);
  return new ProviderError({
    remedy: isAskedAway ? 'elsewhere' : failureClass.remedy,
    kind: failureClass.kind,
    message: `${failureClass.message}${word === '' ? '' : ` (${word})`}`,
    status,
    code: word,
    retryAfterMs: failureClass.remedy === 'retry' ? wait : undefined,
    cause,
  });
}

/** No reply at all, or one that broke off: by the code of the network where one is found among the causes. */
export function connectionError(thrown: unknown): ProviderError {
  if (thrown instanceof ProviderError) return thrown;
  const code = networkCode(thrown);
  return toProviderError({ status: undefined, codes: code === '' ? [] : [code], text: '', header: noHeader }, thrown);
}

/** A code that only says that something broke says less than the text. */
function classOf({ status, codes, text, header }: WireFailure): FailureClass {
  const told = codes
    .map(classOfCode)
    .filter((failureClass) => failureClass !== undefined && failureClass !== 'filtered') as FailureClass[];
  const exact = told.find(({ kind }) => kind !== 'broken');
  if (exact !== undefined) return exact;
  const byText = classOfMessage(text);
  if (byText !== undefined) return byText;
  const [byCode] = told;
  if (byCode !== undefined) return byCode;
  const byStatus = classOfStatus(status);
  if (header('x-should-retry') === 'true' && byStatus.remedy !== 'retry') {
    return { remedy: 'retry', kind: 'broken', message: byStatus.message };
  }
  return byStatus;
}

/** "Please try again in 1.2s" or "in 340ms": where OpenAI and Azure put the wait when they leave the header out. */
function waitInText(text: string): number | undefined {
  const found = /(?:try again in|retry after) (\d+(?:\.\d+)?) ?(ms|milliseconds|s|seconds?)\b/i.exec(text);
  if (found === null) return undefined;
  return Math.ceil(Number(found[1]) * (/^m/i.test(found[2] ?? '') ? 1 : 1000));
}

/** ECONNREFUSED and the like, which fetch hides some causes deep. */
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
