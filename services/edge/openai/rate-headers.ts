import { Code, type ConnectError } from '@connectrpc/connect';
import type { GenerateStarted, MinuteLimit } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import type { NodeResponse } from '#kit/http/server/port.ts';
import type { RateStanding } from '../admission/admission.ts';
import { retryAfterSeconds } from '../http/error.ts';

// `x-ratelimit-*`, as OpenAI sends it: of requests and of tokens the limit, what remains, and the time until the whole limit is free.

type Headers = Record<string, string>;

/** Adds what is left of the caller's rate to a response that has not begun. */
export function setRateHeaders(response: NodeResponse, { limit, remaining, fullAfterMs }: RateStanding): void {
  for (const [name, value] of Object.entries(headersOf('requests', limit, remaining, fullAfterMs))) {
    response.setHeader(name, value);
  }
}

/** Returns what is left of the limits a minute of a model's caller; they replace the rate of requests. */
export function minuteHeaders({ requests, tokens }: GenerateStarted): Headers {
  return { ...ofMinute('requests', requests), ...ofMinute('tokens', tokens) };
}

/** Returns the limit that refused a request; none for other errors. */
export function refusalHeaders(error: ConnectError): Headers {
  if (error.code !== Code.ResourceExhausted) return {};
  const { limit = '', value = '' } = errorInfoOf(error)?.metadata ?? {};
  const kind = refusingLimits[limit];
  const seconds = retryAfterSeconds(error);
  return kind === undefined ? {} : headersOf(kind, value, 0, seconds === undefined ? undefined : seconds * 1000);
}

const refusingLimits: Readonly<Record<string, Kind | undefined>> = {
  requests_per_second: 'requests',
  requests_per_minute: 'requests',
  tokens_per_minute: 'tokens',
};

type Kind = 'requests' | 'tokens';

function ofMinute(kind: Kind, minute: MinuteLimit | undefined): Headers {
  return minute === undefined ? {} : headersOf(kind, minute.limit, minute.remaining, minute.resetMs);
}

function headersOf(kind: Kind, limit: unknown, remaining: unknown, resetMs: number | undefined): Headers {
  return {
    [`x-ratelimit-limit-${kind}`]: String(limit),
    [`x-ratelimit-remaining-${kind}`]: String(remaining),
    ...(resetMs === undefined ? {} : { [`x-ratelimit-reset-${kind}`]: durationOf(resetMs) }),
  };
}

/** Returns a time as OpenAI writes it: "120ms", "1s", "6m0s". */
function durationOf(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
