/** Reads a header of a reply by its name in lower case. */
export type ReadHeader = (name: string) => string | null | undefined;

/** The longest wait that a server is believed: beyond it, somebody has to look at the configuration anyway. */
const maxWaitMs = 24 * 3_600_000;

/**
 * Returns the time until a server accepts the next request, in milliseconds: by `retry-after-ms` or `x-ms-retry-after-ms` (milliseconds), by
 * `retry-after` (seconds, also a fraction, or an HTTP date), or by the reset of a rate limit that has nothing left. A date counts from
 * the reply's own `date`, so that clocks need not agree. `undefined` if nothing readable is said; a date in the past is 0.
 */
export function retryAfterMs(header: ReadHeader, nowMs: () => number = Date.now): number | undefined {
  const wait =
    numberOf(header('retry-after-ms')) ??
    numberOf(header('x-ms-retry-after-ms')) ??
    secondsOf(header('retry-after')) ??
    untilDate(header('retry-after'), header, nowMs) ??
    untilReset(header, nowMs);
  return wait === undefined ? undefined : Math.min(Math.ceil(wait), maxWaitMs);
}

function numberOf(text: string | null | undefined): number | undefined {
  const trimmed = text?.trim() ?? '';
  return /^\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}

function secondsOf(text: string | null | undefined): number | undefined {
  const seconds = numberOf(text);
  return seconds === undefined ? undefined : seconds * 1000;
}

/** A bare number is no date, though Date.parse takes "-1" for a year. */
function untilDate(text: string | null | undefined, header: ReadHeader, nowMs: () => number): number | undefined {
  if (!/[a-z]/i.test(text ?? '')) return undefined;
  const at = Date.parse(text ?? '');
  if (Number.isNaN(at)) return undefined;
  const said = Date.parse(header('date') ?? '');
  return Math.max(0, at - (Number.isNaN(said) ? nowMs() : said));
}

/** OpenAI's limits reset after a duration, Anthropic's at a time (RFC 3339). Azure's -1 means nothing. */
const limits = [
  { remaining: 'x-ratelimit-remaining-requests', reset: 'x-ratelimit-reset-requests' },
  { remaining: 'x-ratelimit-remaining-tokens', reset: 'x-ratelimit-reset-tokens' },
  { remaining: 'anthropic-ratelimit-requests-remaining', reset: 'anthropic-ratelimit-requests-reset' },
  { remaining: 'anthropic-ratelimit-input-tokens-remaining', reset: 'anthropic-ratelimit-input-tokens-reset' },
  { remaining: 'anthropic-ratelimit-output-tokens-remaining', reset: 'anthropic-ratelimit-output-tokens-reset' },
];

function untilReset(header: ReadHeader, nowMs: () => number): number | undefined {
  const waits = limits.flatMap(({ remaining, reset }) => {
    if (header(remaining) !== '0') return [];
    const wait = durationMs(header(reset)) ?? untilDate(header(reset), header, nowMs);
    return wait === undefined || wait === 0 ? [] : [wait];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

const unitMs: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 };

/** A duration as Go prints it: "6m0s", "1.5s", "120ms". */
export function durationMs(text: string | null | undefined): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/.test(text ?? '')) return undefined;
  let sum = 0;
  for (const [, amount, unit = ''] of (text ?? '').matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)) {
    sum += Number(amount) * (unitMs[unit] ?? 0);
  }
  return sum;
}
