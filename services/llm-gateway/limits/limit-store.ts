import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics.ts';

/**
 * Counters of what requests may use. `reserve` and `settle` are atomic over every scope and window of a request, also where several
 * processes share the store.
 *
 * A minute is a sliding window in steps of 5 seconds: within any 60 seconds no more than the limit is ever reserved; what was used
 * comes back after 60 to 65 seconds. So a burst is at most the limit itself. Days and months are those of the calendar in UTC.
 */
export interface LimitStore {
  /** Whether other processes share the counters, so that a slot may come free without a word here. */
  readonly isShared: boolean;
  /** Reserves in all scopes, or in none. Again with the same id: changes nothing. */
  reserve(demand: Demand): Promise<Decision>;
  /**
   * Replaces what was reserved by what was used, and frees the slots; `undefined`: the request was never made, and does not even
   * count as one. The first call of an id counts. Never rejects.
   */
  settle(id: string, used: Used | undefined): Promise<void>;
  close(): Promise<void>;
}

/** What a request asks for. */
export interface Demand {
  /** Names the reservation; never used twice. */
  id: string;
  /** Keeps the counters of a tenant together. */
  tenant: string;
  scopes: readonly Scope[];
  /** Whole numbers, 0 or more. */
  tokens: number;
  costMicros: number;
}

/** Whose counters, and how far they may go. */
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

/** What a request has used. Whole numbers, 0 or more. */
export interface Used {
  tokens: number;
  costMicros: number;
}

/** Whether a request may go on. */
export type Decision = { admitted: true } | Refusal;

/**
 * What stands against a request: of several limits the one that does so for longest, but `maxConcurrent` only where it is the only
 * one, since no other is worth waiting for in a queue.
 */
export interface Refusal {
  admitted: false;
  /** Index in `Demand.scopes`. */
  scopeIndex: number;
  kind: LimitKind;
  /**
   * After how long the limit allows it, in milliseconds; `undefined`: never, it is more than the limit itself. Where only what is
   * reserved, and not what was used, stands against it: a second.
   */
  retryAfterMs: number | undefined;
}

/** What a store is given. */
export interface LimitStoreDeps {
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  log: Logger;
  metrics: Metrics;
}
