import type { Failure } from './ledger-entry.ts';

// The pure part of the ledger: when entries are sent, and what follows a failed delivery.

/** Bounds of the delivery. */
export interface DeliveryBounds {
  /** Entries in flight. */
  readonly maxSending: number;
  /** Entries that follow one another are gathered for this time, in milliseconds: audit writes those that arrive together. */
  readonly gatherMs: number;
  /** First and longest backoff after a failure, in milliseconds. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

/** The state of the delivery to audit. Times are of `performance.now()`. */
export interface DeliveryState {
  /** The wait for further entries; `undefined`: none. A new object is a new wait. */
  readonly gather: { readonly ms: number } | undefined;
  /** The wait after audit did not answer; `undefined`: none. */
  readonly backoff: { readonly ms: number } | undefined;
  readonly lastGatheredAt: number;
  /** Failures of audit since its last answer; deliveries that fail together are one failure. */
  readonly failureCount: number;
  readonly isClosing: boolean;
}

/** What happened. */
export type DeliveryEvent =
  | { readonly kind: 'recorded'; readonly now: number; readonly queuedCount: number }
  | { readonly kind: 'gathered'; readonly now: number }
  | { readonly kind: 'delivered' }
  /** Audit does not answer. `random`: a number from 0 up to 1, for the jitter. */
  | { readonly kind: 'unavailable'; readonly random: number }
  | { readonly kind: 'backoff-ended' }
  | { readonly kind: 'closing'; readonly now: number };

/** The state before the first entry. */
export const initialDelivery: DeliveryState = {
  gather: undefined,
  backoff: undefined,
  lastGatheredAt: Number.NEGATIVE_INFINITY,
  failureCount: 0,
  isClosing: false,
};

/** Returns the state after an event. */
export function next(state: DeliveryState, event: DeliveryEvent, bounds: DeliveryBounds): DeliveryState {
  switch (event.kind) {
    case 'recorded': {
      // The first entry after a while is sent immediately; those after it are gathered.
      const leftMs = state.lastGatheredAt + bounds.gatherMs - event.now;
      const isDue = state.gather === undefined ? leftMs <= 0 : event.queuedCount >= bounds.maxSending;
      if (isDue) return { ...state, gather: undefined, lastGatheredAt: event.now };
      return state.gather === undefined ? { ...state, gather: { ms: leftMs } } : state;
    }
    case 'gathered':
      return { ...state, gather: undefined, lastGatheredAt: event.now };
    case 'delivered':
      return state.failureCount === 0 ? state : { ...state, failureCount: 0 };
    case 'unavailable': {
      if (state.backoff !== undefined) return state;
      const failureCount = state.failureCount + 1;
      const ms = backoffMs(failureCount, event.random, state.isClosing, bounds);
      return { ...state, failureCount, backoff: { ms } };
    }
    case 'backoff-ended':
      return { ...state, backoff: undefined };
    case 'closing':
      return { ...state, isClosing: true, gather: undefined, backoff: undefined, lastGatheredAt: event.now };
    default:
      return event satisfies never;
  }
}

/** Returns how many entries may be in flight. While audit fails, one entry at a time probes it. */
export function maxInFlight({ gather, backoff, failureCount }: DeliveryState, { maxSending }: DeliveryBounds): number {
  if (gather !== undefined || backoff !== undefined) return 0;
  return failureCount > 0 ? 1 : maxSending;
}

/** Returns the backoff after so many failures, in milliseconds. A closing ledger does not back off for long. */
export function backoffMs(
  failureCount: number,
  random: number,
  isClosing: boolean,
  bounds: Pick<DeliveryBounds, 'backoffMs' | 'maxBackoffMs'>,
): number {
  const longest = isClosing ? bounds.backoffMs : bounds.maxBackoffMs;
  return Math.min(longest, bounds.backoffMs * 2 ** Math.min(failureCount - 1, 20)) * (0.5 + random / 2);
}

/** What follows a failed delivery of one entry. */
export type EntryStep =
  | { readonly kind: 'drop'; readonly why: string }
  /** The caller's token has expired: sign a new one, then deliver the entry again. */
  | { readonly kind: 'sign' }
  /** Audit does not answer: deliver the entry again after the backoff of all entries. */
  | { readonly kind: 'back-off' }
  /** Only this entry has failed: deliver it again apart from the others, which do not wait for it. */
  | { readonly kind: 'isolate' };

/** What is known about an entry that has failed. */
export interface FailedEntry {
  readonly attempts: number;
  readonly maxAttempts: number;
  /** Whether audit has accepted other entries since this one failed for the first time. */
  readonly othersWereDelivered: boolean;
  /** Whether a new token can be signed. */
  readonly canSign: boolean;
}

/** Returns what follows a failed delivery of an entry. */
export function stepAfter(failure: Failure, entry: FailedEntry): EntryStep {
  switch (failure) {
    case 'expired':
      return entry.canSign ? { kind: 'sign' } : { kind: 'drop', why: 'the token of the caller has expired' };
    case 'refused':
      return { kind: 'drop', why: 'audit refused it' };
    case 'unencodable':
      return { kind: 'drop', why: 'it cannot be encoded' };
    case 'failed':
      return entry.attempts >= entry.maxAttempts && entry.othersWereDelivered
        ? { kind: 'drop', why: 'audit fails on it, but accepts others' }
        : { kind: 'isolate' };
    case 'unavailable':
      return { kind: 'back-off' };
    default:
      return failure satisfies never;
  }
}
