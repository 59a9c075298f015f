import type { Logger } from '#kit/base/log.ts';
import type { InvalidateTarget } from '../answers/answer-store.ts';
import type { Flight, FlightInit } from './flight.ts';

/** What every adapter of the port is given. */
export interface FlightStoreDeps {
  clock: () => number;
  /** A new lease id for a key; {@link keyOfLease} finds the key in it. */
  newId: (key: string) => string;
  /** Time from a lease to the start of its Fill, in milliseconds. */
  leaseTtlMs: number;
  /** Flights known at once. */
  maxFlights: number;
  /** Most bytes of the events of a flight, as the caller counts them. */
  maxAnswerBytes: number;
  /** Longest wait of a look-up for word of other replicas, in milliseconds. */
  timeoutMs: number;
  log: Logger;
}

/** A flight, and whether whoever entered it leads. */
export interface Entered {
  flight: Flight;
  /** Whether to generate and to fill; otherwise to follow. */
  leads: boolean;
}

/**
 * The generations under way. Of all that enter a key while nobody leads it, one leads and the others follow. A store that other replicas
 * use too never keeps a look-up waiting for long: without them, it goes on with what this process knows.
 */
export interface FlightStore {
  /** The flight that this process knows for a key, whose events a look-up can follow. */
  followable(key: string): Flight | undefined;
  /**
   * Leads the key, or joins who does. `alone`: leads in any case; where another one leads too, nobody can follow this one. Beyond the
   * bound of flights, a flight can be neither followed nor filled.
   */
  enter(init: FlightInit, alone: boolean): Promise<Entered>;
  /** Takes a lease for its Fill, wherever it was given out; `undefined` where it is lost, taken already, or another's. */
  take(tenant: string, leaseId: string, holder: string): Promise<Flight | undefined>;
  /** Keeps answers that the invalidation concerns, or may yet concern, from being stored or followed by newcomers. */
  taint(tenant: string, target: InvalidateTarget): void;
  /** Ends every flight that is led here. */
  close(): Promise<void>;
}

/** Makes lease ids: the key they are for, and what makes them one of a kind; at most 64 characters. */
export function leaseIdOf(key: string, nonce: string): string {
  return `${Buffer.from(key, 'hex').toString('base64url')}-${nonce.slice(0, 20)}`;
}

/** The key that a lease id is for; `undefined` where it is none of {@link leaseIdOf}. */
export function keyOfLease(leaseId: string): string | undefined {
  const match = /^([\w-]{43})-/.exec(leaseId);
  return match?.[1] && Buffer.from(match[1], 'base64url').toString('hex');
}
