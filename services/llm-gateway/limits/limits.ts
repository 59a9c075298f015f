import type { LLMLimitsConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { LimitSource } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import type { LimitKind, Scope } from './limit-store.ts';
import type { Layer, Limited, OtherNames } from './rules/rules.ts';

/** Limits of tenants and keys. The maximum usage of a request is reserved before it starts, and settled by its real usage. */
export interface Limits {
  /**
   * Admits a request, possibly after a wait for a slot. Throws RESOURCE_EXHAUSTED with RetryInfo if a limit or the queue is full,
   * FAILED_PRECONDITION (MODEL_UNPRICED) if the request has a budget of money and an unknown cost, and the signal's reason if it aborts;
   * then nothing is reserved.
   */
  admit(request: AdmissionRequest, signal: AbortSignal): Promise<Reservation>;
  /** Returns the longest completion that a request may have, in tokens. */
  maxCompletionTokens(limited: Limited): number;
  /** Returns the cost centre that pays for the calls of a key or user: the first that names the key, otherwise the user; empty: none. */
  costCentreOf(limited: Pick<Limited, 'tenant' | 'key' | 'user'>): string;
  /** Returns the limits of a tenant, of all layers, with what is used of them; of keys and users only those that are asked for or in use. */
  standings(tenant: string, others: OtherNames): Promise<{ standings: Standing[]; isShared: boolean }>;
  /** Replaces the limits; reservations stay. */
  reconfigure(limits: LLMLimitsConfig | undefined): void;
  /** Requests that are admitted and not settled, and requests that wait; for tests and metrics. */
  readonly load: { admitted: number; waiting: number };
  close(): Promise<void>;
}

/** Learns what is spent of limits. */
export interface SpendWatch {
  /** A request under limits of these scopes was settled. */
  spent(tenant: string, scopes: readonly Scope[]): void;
  /** A limit of a scope has refused a request, because of what is spent. */
  refused(tenant: string, scope: Scope, kind: LimitKind): void;
}

/** A limit and what is used of it. */
export interface Standing {
  layer: Layer;
  name: string;
  /** As the configuration has it: "requests_per_minute". */
  kind: string;
  limit: number;
  used: number;
  /** When all of it is free if nothing more is used, in milliseconds since 1970; `undefined`: when requests end. */
  resetsAtMs: number | undefined;
  source: LimitSource;
  raisedUntilMs: number | undefined;
}

/** The parts of a request that limits use. */
export interface AdmissionRequest extends Limited {
  requestId: string;
  /** Returns the maximum usage of one attempt; called only if the request has a limit. */
  amount(): ReservationAmount;
}

/** The maximum usage of one attempt of a request. */
export interface ReservationAmount {
  /** Tokens: prompt and longest completion. */
  tokens: number;
  /** Money, in millionths of the currency unit; `undefined`: a target has no price. */
  costMicros: bigint | undefined;
}

/** What is left of a limit for a minute. */
export interface MinuteStanding {
  limit: bigint;
  remaining: bigint;
  /** Time until the whole limit is free if nothing more is used, in milliseconds. */
  resetMs: number;
}

/** The reservation of a request. */
export interface Reservation {
  /** What is left for requests and tokens of the minute, of the scope with the least left; `undefined`: no such limit, or it is not known. */
  readonly requests: MinuteStanding | undefined;
  readonly tokens: MinuteStanding | undefined;
  /**
   * Replaces the reservation by the usage of all attempts together, and releases the request's slot. Only the first call counts. Never
   * throws.
   */
  settle(used: { tokens: number; costMicros: bigint }): void;
}
