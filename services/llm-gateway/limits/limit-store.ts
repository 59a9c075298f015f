import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';

/**
 * Counters of the usage of requests. `reserve` and `settle` are atomic over all scopes and windows of a request, also if several processes
 * share the store.
 *
 * A minute is a sliding window in steps of 5 seconds: within any 60 seconds at most the limit is reserved, and usage is released after 60
 * to 65 seconds. So a burst is at most the limit. Days and months are those of the calendar in UTC.
 */
export interface LimitStore {
  /** Whether other processes share the counters, so that slots become free without a call in this process. */
  readonly isShared: boolean;
  /** Whether its server answers; absent in a store without a server. */
  readonly readiness?: ReadinessCheck;
  /** Reserves in all scopes or in none. Another call with the same id changes nothing. */
  reserve(demand: Demand): Promise<Decision>;
  /**
   * Replaces the reservation by the usage, and releases the slots; `undefined`: the request was never made, and is not counted. Only the
   * first call of an id counts. Never rejects.
   */
  settle(id: string, used: Used | undefined): Promise<void>;
  /** Returns what is used of scopes of a tenant, reservations included. Changes nothing. */
  read(tenant: string, scopes: readonly Scope[]): Promise<ScopeUse[]>;
  close(): Promise<void>;
}

/** What is used of a scope. What has no limit may be 0. */
export interface ScopeUse {
  /** Of the sliding minute. */
  requests: number;
  tokens: number;
  /** Money of the day and of the month, in millionths of the currency unit. */
  dayMicros: number;
  monthMicros: number;
  running: number;
}

/** The demand of a request. */
export interface Demand {
  /** Id of the reservation, unique among all processes. */
  id: string;
  /** The tenant, whose counters are stored together. */
  tenant: string;
  scopes: readonly Scope[];
  /** Whole numbers, 0 or more. */
  tokens: number;
  costMicros: number;
}

/** The owner of counters, and their limits. */
export interface Scope {
  /** Unique in the tenant. */
  name: string;
  limits: ScopeLimits;
}

/** Limits of a scope; 0: none of that kind. Not above 2^53 - 1. */
export interface ScopeLimits {
  requestsPerMinute: number;
  tokensPerMinute: number;
  costMicrosPerDay: number;
  costMicrosPerMonth: number;
  maxConcurrent: number;
}

/** A kind of limit. */
export type LimitKind = keyof ScopeLimits;

/** The usage of a request. Whole numbers, 0 or more. */
export interface Used {
  tokens: number;
  costMicros: number;
}

/** Whether a request is admitted, and then what of the minute is used in each scope; without it, the store does not know. */
export type Decision = { admitted: true; minutes?: readonly MinuteUse[] } | Refusal;

/** What of a minute is used or reserved, this request included. 0 if there is no limit of the kind. */
export interface MinuteUse {
  requests: number;
  tokens: number;
}

/**
 * The limit that refuses a request: of several limits the one with the longest wait. `maxConcurrent` is reported only if it is the only
 * one, because a request waits in the queue for no other limit.
 */
export interface Refusal {
  admitted: false;
  /** Index in `Demand.scopes`. */
  scopeIndex: number;
  kind: LimitKind;
  /**
   * Time until the limit allows the request, in milliseconds; `undefined`: never, because the request is larger than the limit. A second
   * if only reservations, and not usage, refuse it.
   */
  retryAfterMs: number | undefined;
  /** What is left of the limit, reservations counted as used; `undefined`: the store does not know. */
  remaining?: number;
}

/** What a store depends on. */
export interface LimitStoreDeps {
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  log: Logger;
  metrics: Metrics;
}
