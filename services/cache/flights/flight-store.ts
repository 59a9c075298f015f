import type { Logger } from '#kit/base/log.ts';
import type { InvalidateTarget } from '../answers/answer-store.ts';
import type { Flight, FlightInit } from './flight.ts';

/** What every adapter of the port receives. */
export interface FlightStoreDeps {
  clock: () => number;
  /** Returns a new lease id for a key; {@link keyOfLease} finds the key in it. */
  newId: (key: string) => string;
  /** Time from a lease to the start of its Fill, in milliseconds. */
  leaseTtlMs: number;
  /** Largest count of flights. */
  maxFlights: number;
  /** Largest size of the events of a flight, in bytes, as the caller counts them. */
  maxAnswerBytes: number;
  /** Longest wait of a look-up for other replicas, in milliseconds. */
  timeoutMs: number;
  log: Logger;
}

/** A flight, and whether the caller that entered it leads. */
export interface Entered {
  flight: Flight;
  /** Whether to generate and to fill; otherwise to follow. */
  leads: boolean;
}

/**
 * The running generations. Of all callers that enter a key without a leader, one leads and the others follow. A store that replicas share
 * never delays a look-up for long: without the others, it continues with what this process knows.
 */
export interface FlightStore {
  /** Returns the flight of a key in this process, whose events a look-up can follow. */
  followable(key: string): Flight | undefined;
  /**
   * Leads the key, or follows its leader. `alone`: leads in any case; beside another leader, this flight cannot be followed. Beyond
   * `maxFlights`, a flight can be neither followed nor filled.
   */
  enter(init: FlightInit, alone: boolean): Promise<Entered>;
  /** Takes a lease for its Fill, whichever replica issued it; `undefined` if it is lost, taken already, or of another holder. */
  take(tenant: string, leaseId: string, holder: string): Promise<Flight | undefined>;
  /** Excludes flights that the invalidation concerns, or may concern later, from storage and from new followers. */
  taint(tenant: string, target: InvalidateTarget): void;
  /** Ends every flight that is led here. */
  close(): Promise<void>;
}

/** Returns a lease id: its key and a nonce that makes it unique; at most 64 characters. */
export function leaseIdOf(key: string, nonce: string): string {
  return `${Buffer.from(key, 'hex').toString('base64url')}-${nonce.slice(0, 20)}`;
}

/** Returns the key of a lease id; `undefined` if it is not one of {@link leaseIdOf}. */
export function keyOfLease(leaseId: string): string | undefined {
  const match = /^([\w-]{43})-/.exec(leaseId);
  return match?.[1] && Buffer.from(match[1], 'base64url').toString('hex');
}
