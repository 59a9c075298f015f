import type { InvalidateTarget } from '../answers/answer-store.ts';
import { Flight, type FlightHooks, type FlightInit, type FlightState } from './flight.ts';
import type { FlightStoreDeps } from './flight-store.ts';

/** The flights of this process. */
export type Flights = ReturnType<typeof createFlights>;

/** Creates the list. Calls `hooks` for every flight in it. */
export function createFlights(
  { clock, newId, leaseTtlMs, maxFlights, maxAnswerBytes }: Omit<FlightStoreDeps, 'timeoutMs' | 'log'>,
  hooks: Partial<FlightHooks> = {},
) {
  const byKey = new Map<string, Flight>();
  const byLease = new Map<string, Flight>();
  const expiries = new Map<Flight, { atMs: number; timer: NodeJS.Timeout }>();

  const stopExpiry = (flight: Flight) => {
    clearTimeout(expiries.get(flight)?.timer);
    expiries.delete(flight);
  };
  const startExpiry = (flight: Flight) => {
    const timer = setTimeout(() => flight.end('abandoned'), leaseTtlMs).unref();
    expiries.set(flight, { atMs: clock() + leaseTtlMs, timer });
  };
  const endIfExpired = (flight: Flight) => {
    if ((expiries.get(flight)?.atMs ?? Number.POSITIVE_INFINITY) <= clock()) flight.end('abandoned');
  };
  const unlist = (flight: Flight) => {
    stopExpiry(flight);
    if (byLease.get(flight.leaseId) === flight) byLease.delete(flight.leaseId);
    if (byKey.get(flight.key) === flight) byKey.delete(flight.key);
  };
  const allHooks: FlightHooks = {
    appended: (flight) => hooks.appended?.(flight),
    ended(flight) {
      unlist(flight);
      hooks.ended?.(flight);
    },
    unfollowed: (flight) => hooks.unfollowed?.(flight),
  };

  return {
    /** Returns the flight that a look-up of `key` can follow. */
    followable(key: string): Flight | undefined {
      const flight = byKey.get(key);
      if (flight === undefined) return undefined;
      endIfExpired(flight);
      return byKey.get(key);
    },

    /** Begins a flight. It cannot be followed if another one has the key already, or if there are too many. */
    begin(init: FlightInit & { leaseId?: string }, state: FlightState = 'leased'): Flight {
      const made = { ...init, leaseId: init.leaseId ?? newId(init.key), begunAtMs: clock(), state };
      const flight = new Flight(made, maxAnswerBytes, allHooks);
      if (byLease.size >= maxFlights) return flight;
      byLease.set(flight.leaseId, flight);
      if (!byKey.has(flight.key)) byKey.set(flight.key, flight);
      if (state === 'leased') startExpiry(flight);
      return flight;
    },

    /** Returns whether others can follow the flight. */
    isFollowable: (flight: Flight): boolean => byKey.get(flight.key) === flight,

    /** Makes this process the leader of a flight that was `joining`. */
    lead(flight: Flight): void {
      if (flight.isOver) return;
      flight.state = 'leased';
      if (byLease.has(flight.leaseId)) startExpiry(flight);
    },

    /** Makes another replica the leader of the flight, under `leaseId`. */
    relay(flight: Flight, leaseId: string, begunAtMs: number): void {
      stopExpiry(flight);
      if (byLease.get(flight.leaseId) === flight) {
        byLease.delete(flight.leaseId);
        byLease.set(leaseId, flight);
      }
      flight.leaseId = leaseId;
      flight.begunAtMs = begunAtMs;
      flight.state = 'relayed';
    },

    /** Returns the flight with this lease. */
    withLease: (leaseId: string): Flight | undefined => byLease.get(leaseId),

    /** Takes the lease for its Fill; `undefined` if it is lost, taken already, or of another holder. */
    take(tenant: string, leaseId: string, holder: string): Flight | undefined {
      const flight = byLease.get(leaseId);
      if (flight === undefined) return undefined;
      endIfExpired(flight);
      if (flight.state !== 'leased' || flight.tenant !== tenant || flight.holder !== holder) return undefined;
      flight.state = 'filling';
      stopExpiry(flight);
      return flight;
    },

    /** Marks the flights that an invalidation concerns, and returns them. */
    taint(tenant: string, target: InvalidateTarget): Flight[] {
      const tainted = [...byLease.values()].filter((flight) => flight.tenant === tenant && flight.mayConcern(target));
      for (const flight of tainted) {
        flight.isTainted = true;
        if (byKey.get(flight.key) === flight) byKey.delete(flight.key);
      }
      return tainted;
    },

    /** Ends every flight. */
    close(): void {
      for (const flight of [...byLease.values()]) flight.end('abandoned');
    },
  };
}
