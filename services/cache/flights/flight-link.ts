import type { FlightInit } from './flight.ts';

/** A lease that replicas share, by name. */
export interface LeaseRef {
  tenant: string;
  key: string;
  leaseId: string;
}

/** A lease as the link stores it. */
export interface SharedLease extends FlightInit {
  leaseId: string;
  begunAtMs: number;
}

/** What was published since a position. */
export interface FlightNews {
  batches: Uint8Array[];
  position: string;
  end: 'finished' | 'abandoned' | undefined;
  isHeld: boolean;
}

/** The server through which replicas share flights. Every call may reject, and may never settle: the caller bounds it. */
export interface FlightLink {
  /** Takes the lease of a key that has none. Returns the lease that the key has now: this one, or another one. */
  acquire(lease: SharedLease): Promise<{ leaseId: string; begunAtMs: number }>;
  /** Takes a lease for its Fill, also one that another replica issued; `undefined` if there is no such lease. */
  take(ref: LeaseRef, holder: string): Promise<SharedLease | undefined>;
  /** Extends a lease. `moved`: another replica fills it now; `gone`: the key has no lease; `lost`: it has another one. */
  renew(ref: LeaseRef): Promise<'held' | 'moved' | 'gone' | 'lost'>;
  /** Publishes a batch of a flight's events; returns false if its lease is lost. */
  append(ref: LeaseRef, batch: Uint8Array): Promise<boolean>;
  /** Ends a flight. `keptMs`: time for which newcomers still find it by its key. */
  release(ref: LeaseRef, state: 'finished' | 'abandoned', keptMs: number): Promise<void>;
  /** Returns what a flight published after `position`, how it ended, and whether its lease is held. */
  read(ref: LeaseRef, position: string): Promise<FlightNews>;
  /** Calls `onNews` when there may be more to read, until the returned function is called. */
  watch(ref: LeaseRef, onNews: () => void): Promise<() => void>;
  close(): Promise<void>;
}
