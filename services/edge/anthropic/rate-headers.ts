import type { NodeResponse } from '#kit/http/server/port.ts';
import type { Admission } from '../admission/admission.ts';

/** Says what is left of the rate of the caller, in the headers that Anthropic's clients read; the reset is a time of RFC 3339. */
export function setRateHeaders(
  response: NodeResponse,
  { limit, remaining, fullAfterMs }: Admission['rate'],
  nowMs: number,
): void {
  response.setHeader('anthropic-ratelimit-requests-limit', String(limit));
  response.setHeader('anthropic-ratelimit-requests-remaining', String(remaining));
  response.setHeader('anthropic-ratelimit-requests-reset', new Date(nowMs + fullAfterMs).toISOString());
}
