import type { InvalidateTarget } from '../answers/answer-store.ts';
import { Flight, type FlightHooks, type FlightInit, type FlightState } from './flight.ts';
import type { FlightStoreDeps } from './flight-store.ts';

/** The flights that this process knows. */
export type Flights = ReturnType<typeof createFlights>;

/** Creates the list. `hooks` are told of every flight in it. */
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
    /** The flight that a look-up of `key` can follow. */
    followable(key: string): Flight | undefined {
      const flight = byKey.get(key);
      if (flight === undefined) return undefined;
      endIfExpired(flight);
      return byKey.get(key);
    },

    /** Begins a flight. Where another one has the key already, or there are too many, nobody can follow it. */
    begin(init: FlightInit & { leaseId?: string }, state: FlightState = 'leased'): Flight {
      const made = { ...init, leaseId: init.leaseId ?? newId(init.key), begunAtMs: clock(), state };
      const flight = new Flight(made, maxAnswerBytes, allHooks);
      if (byLease.size >= maxFlights) return flight;
      byLease.set(flight.leaseId, flight);
      if (!byKey.has(flight.key)) byKey.set(flight.key, flight);
      if (state === 'leased') startExpiry(flight);
      return flight;
    },

    /** Whether the flight is one that others can follow. */
    isFollowable: (flight: Flight): boolean => byKey.get(flight.key) === flight,

    /** A flight that was `joining` is led here from now on. */
    lead(flight: Flight): void {
      if (flight.isOver) return;
      flight.state = 'leased';
      if (byLease.has(flight.leaseId)) startExpiry(flight);
    },

    /** The flight is led by another replica, under `leaseId`. */
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

    /** The flight with this lease. */
    withLease: (leaseId: string): Flight | undefined => byLease.get(leaseId),

    /** Takes the lease for its Fill; `undefined` where it is lost, taken already, or another's. */
    take(tenant: string, leaseId: string, holder: string): Flight | undefined {
      const flight = byLease.get(leaseId);
      if (flight === undefined) return undefined;
      endIfExpired(flight);
      if (flight.state !== 'leased' || flight.tenant !== tenant || flight.holder !== holder) return undefined;
      flight.state = 'filling';
      stopExpiry(flight);
      return flight;
    },

    /** Marks flights that an invalidation concerns; gives them back. */
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
