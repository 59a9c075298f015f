import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { tooLarge } from '#kit/errors.ts';
import type { InvalidateTarget } from './answer-store.ts';

/** A generation under way: who leads it, and what it has said so far. */
export interface Flight {
  readonly tenant: string;
  /** Identity of the answer. */
  readonly key: string;
  readonly leaseId: string;
  /** Who may fill it. */
  readonly holder: string;
  readonly model: string;
  /** Corpora that are searched. */
  readonly corpora: readonly string[];
  readonly begunAtMs: number;
  /** Events so far. Followers read them here, each at its own pace, so a slow one holds nothing up. */
  readonly events: AnswerEvent[];
  /** `leased` until its Fill begins; `finished` where its last event is the end of an answer. */
  state: 'leased' | 'filling' | 'finished' | 'abandoned';
  /** An invalidation met it: its answer must not be stored. */
  isTainted: boolean;
}

/** What a flight is about. */
export type FlightInit = Pick<Flight, 'tenant' | 'key' | 'holder' | 'model' | 'corpora'>;

/** Options of {@link createFlights}. */
export interface FlightsOptions {
  clock: () => number;
  /** A new lease id. */
  newId: () => string;
  /** Time from a lease to the start of its Fill, in milliseconds. */
  leaseTtlMs: number;
  /** Flights known at once. */
  maxFlights: number;
  /** Most bytes of the events of a flight, as the caller counts them. */
  maxAnswerBytes: number;
}

/** The generations under way in this process. */
export type Flights = ReturnType<typeof createFlights>;

/** Creates the list. */
export function createFlights({ clock, newId, leaseTtlMs, maxFlights, maxAnswerBytes }: FlightsOptions) {
  const byKey = new Map<string, Flight>();
  const byLease = new Map<string, Flight>();
  const expiries = new Map<Flight, { atMs: number; timer: NodeJS.Timeout }>();
  const sizes = new WeakMap<Flight, number>();
  const changes = new WeakMap<Flight, PromiseWithResolvers<void>>();

  const notify = (flight: Flight) => {
    changes.get(flight)?.resolve();
    changes.delete(flight);
  };
  const stopExpiry = (flight: Flight) => {
    clearTimeout(expiries.get(flight)?.timer);
    expiries.delete(flight);
  };
  const end = (flight: Flight, state: 'finished' | 'abandoned') => {
    if (flight.state === 'finished' || flight.state === 'abandoned') return;
    flight.state = state;
    stopExpiry(flight);
    byLease.delete(flight.leaseId);
    if (byKey.get(flight.key) === flight) byKey.delete(flight.key);
    notify(flight);
  };
  const endIfExpired = (flight: Flight) => {
    if ((expiries.get(flight)?.atMs ?? Number.POSITIVE_INFINITY) <= clock()) end(flight, 'abandoned');
  };

  return {
    /** The flight that a look-up of `key` can follow. */
    followable(key: string): Flight | undefined {
      const flight = byKey.get(key);
      if (flight !== undefined) endIfExpired(flight);
      return byKey.get(key);
    },

    /**
     * Begins a flight. Where another one has the key already, or there are too many, it is led all the same but nobody can
     * follow it; beyond the bound it cannot be filled either.
     */
    begin(init: FlightInit): Flight {
      const flight: Flight = {
        ...init,
        leaseId: newId(),
        begunAtMs: clock(),
        events: [],
        state: 'leased',
        isTainted: false,
      };
      if (byLease.size >= maxFlights) return flight;
      byLease.set(flight.leaseId, flight);
      if (!byKey.has(flight.key)) byKey.set(flight.key, flight);
      const timer = setTimeout(() => end(flight, 'abandoned'), leaseTtlMs).unref();
      expiries.set(flight, { atMs: flight.begunAtMs + leaseTtlMs, timer });
      return flight;
    },

    /** Takes the lease for its Fill; `undefined` where it is lost, taken already, or another's. */
    take(leaseId: string, holder: string): Flight | undefined {
      const flight = byLease.get(leaseId);
      if (flight === undefined) return undefined;
      endIfExpired(flight);
      if (flight.state !== 'leased' || flight.holder !== holder) return undefined;
      flight.state = 'filling';
      stopExpiry(flight);
      return flight;
    },

    /** Adds an event of `sizeBytes`; followers get it at once. Throws RESOURCE_EXHAUSTED past the largest answer. */
    append(flight: Flight, event: AnswerEvent, sizeBytes: number): void {
      const size = (sizes.get(flight) ?? 0) + sizeBytes;
      if (size > maxAnswerBytes) throw tooLarge('the answer', maxAnswerBytes);
      sizes.set(flight, size);
      flight.events.push(event);
      notify(flight);
    },

    /** The answer is whole. */
    finish: (flight: Flight): void => end(flight, 'finished'),

    /** There will be no answer. */
    abandon: (flight: Flight): void => end(flight, 'abandoned'),

    /** Resolves when the flight has more to say, or has ended. */
    changed(flight: Flight): Promise<void> {
      let change = changes.get(flight);
      if (change === undefined) {
        change = Promise.withResolvers();
        changes.set(flight, change);
      }
      return change.promise;
    },

    /** Keeps answers that the invalidation concerns, or may yet concern, from being stored or followed by newcomers. */
    taint(tenant: string, target: InvalidateTarget): void {
      for (const flight of byLease.values()) {
        if (flight.tenant !== tenant || !mayConcern(target, flight)) continue;
        flight.isTainted = true;
        if (byKey.get(flight.key) === flight) byKey.delete(flight.key);
      }
    },

    /** Ends every flight. */
    close(): void {
      for (const flight of [...byLease.values()]) end(flight, 'abandoned');
    },
  };
}

function mayConcern(target: InvalidateTarget, flight: Flight): boolean {
  const passages = flight.events.flatMap(({ event }) => (event.case === 'sources' ? event.value.passages : []));
  // Before its sources are known, a flight may be about anything.
  const isOpen = passages.length === 0;
  switch (target.kind) {
    case 'document':
      return isOpen || passages.some((passage) => passage.documentId === target.documentId);
    case 'corpus':
      return (
        isOpen || flight.corpora.includes(target.corpus) || passages.some((passage) => passage.corpus === target.corpus)
      );
    case 'model':
      return flight.model === target.model;
    case 'all':
      return true;
    default:
      return target satisfies never;
  }
}
