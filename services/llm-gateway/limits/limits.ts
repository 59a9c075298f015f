import type { LLMLimitsConfig } from '#gen/ragmesh/config/v1/config_pb.ts';

/** Limits of tenants and keys: what a request may use is reserved before it starts, and settled by what it has used. */
export interface Limits {
  /**
   * Admits a request, perhaps after a wait for its turn. Throws RESOURCE_EXHAUSTED with RetryInfo where a limit or the queue is
   * full, FAILED_PRECONDITION (MODEL_UNPRICED) where a money budget stands and the cost is not known, and the signal's reason
   * where it aborts; then nothing is reserved.
   */
  admit(request: AdmissionRequest, signal: AbortSignal): Promise<Reservation>;
  /** Longest completion that a request of the tenant and key may ask for, in tokens. */
  maxCompletionTokens(tenant: string, key: string): number;
  /** Takes new limits; what is reserved stays. */
  reconfigure(limits: LLMLimitsConfig | undefined): void;
  /** Requests that are admitted and not settled yet, and those that wait; for tests and metrics. */
  readonly load: { admitted: number; waiting: number };
  close(): Promise<void>;
}

/** A request as limits see it. */
export interface AdmissionRequest {
  requestId: string;
  tenant: string;
  /** GenerateRequest.limit_key; empty: none. */
  key: string;
  /** Name of the model or route, for errors. */
  model: string;
  /** The most that one attempt may use; asked for only where a limit stands. */
  amount(): ReservationAmount;
}

/** The most that one attempt of a request may use. */
export interface ReservationAmount {
  /** Tokens: prompt and longest completion. */
  tokens: number;
  /** Money, in millionths of the currency unit; `undefined`: a target has no price. */
  costMicros: bigint | undefined;
}

/** What is held for a request. */
export interface Reservation {
  /**
   * Replaces what was reserved by what was used by all attempts together, and frees the request's slot. The first call counts;
   * later ones change nothing. Never throws.
   */
  settle(used: { tokens: number; costMicros: bigint }): void;
}
