import type { Demand, Used } from './limit-store.ts';

// The pure part of the shared store: whether the server is called, and what a reservation still owes it.

/** What is known about the server. Times are in milliseconds: `retryAt` by `performance.now()`, `downSince` since 1970. */
export interface ServerState {
  /** `undefined`: the server answers. */
  readonly downSince: number | undefined;
  /** No call before this time while the server is down. */
  readonly retryAt: number;
  /** Settlements that were dropped since the server is down. */
  readonly lostCount: number;
}

/** What happened to the server. */
export type ServerEvent =
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed'; readonly now: number; readonly at: number; readonly retryMs: number }
  /** A caller is about to probe the server, or to call it. */
  | { readonly kind: 'called'; readonly now: number; readonly retryMs: number }
  /** A settlement was dropped. */
  | { readonly kind: 'lost' };

/** A server that answers. */
export const serverUp: ServerState = { downSince: undefined, retryAt: 0, lostCount: 0 };

/** Returns the state of the server after an event. */
export function nextServer(state: ServerState, event: ServerEvent): ServerState {
  switch (event.kind) {
    case 'answered':
      return state.downSince === undefined ? state : serverUp;
    case 'failed':
      return { ...state, downSince: state.downSince ?? event.at, retryAt: event.now + event.retryMs };
    case 'called':
      // One probe at a time: the next one waits for another `retryMs`.
      return state.downSince === undefined ? state : { ...state, retryAt: event.now + event.retryMs };
    case 'lost':
      return { ...state, lostCount: state.lostCount + 1 };
    default:
      return event satisfies never;
  }
}

/** Returns whether the server may be called: always while it answers, and once after each `retryMs` while it does not. */
export function mayCall({ downSince, retryAt }: ServerState, now: number): boolean {
  return downSince === undefined || now >= retryAt;
}

/** A reservation of a request that runs. */
export interface HeldReservation {
  readonly phase: 'held';
  readonly demand: Demand;
  /** When the request arrived, in milliseconds since 1970. */
  readonly at: number;
  /** Whether the server has the reservation. */
  readonly isRemote: boolean;
}

/** A settlement that the server has not confirmed. `used`: `undefined` if the request was never made. */
export interface OwedSettlement {
  readonly phase: 'owed';
  readonly demand: Demand;
  readonly at: number;
  readonly isRemote: boolean;
  readonly used: Used | undefined;
}

/** What this process still tracks of a request; `undefined`: nothing. */
export type Reservation = HeldReservation | OwedSettlement | undefined;

/** What happened to a reservation. */
export type ReservationEvent =
  | { readonly kind: 'admitted'; readonly demand: Demand; readonly at: number; readonly isRemote: boolean }
  /** The server admitted the request after this process had stopped waiting. */
  | { readonly kind: 'admitted-late'; readonly demand: Demand; readonly at: number }
  /** The server has the reservation again. */
  | { readonly kind: 'restored' }
  | { readonly kind: 'settled'; readonly used: Used | undefined; readonly isServerDown: boolean }
  /** The server has confirmed the settlement. */
  | { readonly kind: 'confirmed' };

/** Returns the state of a reservation after an event. */
export function nextReservation(state: Reservation, event: ReservationEvent): Reservation {
  switch (event.kind) {
    case 'admitted': {
      const { demand, at, isRemote } = event;
      return state ?? { phase: 'held', demand, at, isRemote };
    }
    case 'admitted-late': {
      // If the request continued with the counters of this process, the reservation becomes its own; otherwise it is undone.
      const { demand, at } = event;
      return state ?? { phase: 'owed', demand, at, isRemote: true, used: undefined };
    }
    case 'restored':
      return state && { ...state, isRemote: true };
    case 'settled': {
      if (state?.phase !== 'held') return state;
      const { demand, at, isRemote } = state;
      // The server knows nothing about it, and there is nothing to count.
      if (!isRemote && event.used === undefined) return undefined;
      // A server that is down may have forgotten the reservation when it returns.
      return { phase: 'owed', demand, at, isRemote: isRemote && !event.isServerDown, used: event.used };
    }
    case 'confirmed':
      return state?.phase === 'owed' ? undefined : state;
    default:
      return event satisfies never;
  }
}
