/** How far a source is: what decides when it runs and what it may remove. Changed by {@link next} alone. */
export interface SyncState {
  isPaused: boolean;
  /** What a person asked for beside the schedule. */
  requested: 'none' | 'run' | 'full' | 'dry';
  /** What the run in progress was asked for, until it ends; stays if its process dies. @default none */
  unfinished?: 'none' | 'run' | 'full';
  /** When the schedule or a backoff says that it runs, in milliseconds since 1970. */
  nextRunAtMs: number;
  /** Runs that failed since the last one that succeeded. */
  failureCount: number;
  /** Why the last run failed; empty if it did not. */
  error: string;
  /** From which `changes` continues; empty: everything. */
  cursor: string;
  /** Time of the last complete listing; 0 if there was none. */
  listedAtMs: number;
  /** Removals that wait for approval. */
  heldCount: number;
  /** Removals that are approved, until they are done. */
  approvedCount: number;
}

/** What happens to a source. */
export type SyncEvent =
  | { kind: 'requested'; what: 'run' | 'full' | 'dry' }
  | { kind: 'paused' }
  | { kind: 'resumed'; nowMs: number }
  /** Its settings changed; `isMoved`: it reads from another place, so that its cursor is worth nothing. */
  | { kind: 'changed'; isMoved: boolean; nextRunAtMs: number }
  | { kind: 'approved'; removalCount: number }
  /** A run begins: it answers every request so far, and stays due until it ends, for the case that its process dies. */
  | { kind: 'started'; nowMs: number }
  | { kind: 'advanced'; cursor: string }
  | { kind: 'listed'; nowMs: number; heldCount: number }
  | { kind: 'succeeded'; nextRunAtMs: number }
  /** `chance`: from 0 to 1, which spreads the backoff. */
  | { kind: 'failed'; nowMs: number; error: string; retryAfterMs: number; chance: number }
  /** A dry run ended, well or not. */
  | { kind: 'counted' }
  /** A run ended early, for a pause or with its process; the rest of it is due immediately. */
  | { kind: 'stopped'; nowMs: number };

const backoff = { firstMs: 60_000, factor: 3, longestMs: 6 * 3_600_000 };
const errorLengthMax = 1000;

/** Returns the state of a new source, which runs immediately. */
export function firstState(nowMs: number): SyncState {
  return {
    isPaused: false,
    requested: 'none',
    nextRunAtMs: nowMs,
    failureCount: 0,
    error: '',
    cursor: '',
    listedAtMs: 0,
    heldCount: 0,
    approvedCount: 0,
  };
}

/** Returns the state after an event. Pure. */
export function next(state: SyncState, event: SyncEvent): SyncState {
  switch (event.kind) {
    case 'requested': {
      // A full run does what the others do; a run does what a dry run would count.
      const order = ['none', 'dry', 'run', 'full'];
      const isMore = order.indexOf(event.what) > order.indexOf(state.requested);
      return isMore ? { ...state, requested: event.what } : state;
    }
    case 'paused':
      return { ...state, isPaused: true, requested: state.requested === 'dry' ? 'dry' : 'none' };
    case 'resumed':
      return { ...state, isPaused: false, nextRunAtMs: event.nowMs };
    case 'changed':
      return {
        ...state,
        nextRunAtMs: event.nextRunAtMs,
        failureCount: 0,
        error: '',
        ...(event.isMoved && { cursor: '', listedAtMs: 0, approvedCount: 0 }),
      };
    case 'approved':
      return event.removalCount < state.heldCount || state.heldCount === 0
        ? state
        : { ...state, approvedCount: state.heldCount, requested: 'full' };
    case 'started': {
      const wanted = wantedOf(state);
      if (wanted === 'dry') return { ...state, requested: 'none' };
      return {
        ...state,
        requested: 'none',
        unfinished: wanted,
        nextRunAtMs: Math.min(state.nextRunAtMs, event.nowMs),
      };
    }
    case 'advanced':
      return { ...state, cursor: event.cursor };
    case 'listed':
      return { ...state, listedAtMs: event.nowMs, heldCount: event.heldCount, approvedCount: 0 };
    case 'succeeded':
      return { ...state, unfinished: 'none', failureCount: 0, error: '', nextRunAtMs: event.nextRunAtMs };
    case 'failed': {
      const failureCount = state.failureCount + 1;
      const fullMs = Math.min(backoff.longestMs, backoff.firstMs * backoff.factor ** (failureCount - 1));
      const waitMs = Math.max(event.retryAfterMs, Math.round(fullMs * (0.5 + event.chance / 2)));
      return {
        ...state,
        unfinished: 'none',
        failureCount,
        error: event.error.slice(0, errorLengthMax),
        nextRunAtMs: event.nowMs + waitMs,
      };
    }
    case 'counted':
      return state;
    case 'stopped':
      return { ...state, nextRunAtMs: Math.min(state.nextRunAtMs, event.nowMs) };
    default:
      return event satisfies never;
  }
}

/** Returns what the next run does: what a person asked for, or what a run that did not reach its end was asked for. */
export function wantedOf({ requested, unfinished = 'none' }: SyncState): SyncState['requested'] {
  return requested === 'none' || (requested === 'run' && unfinished === 'full') ? unfinished : requested;
}

/** Time of a source that is not due: later than any other. */
export const neverMs = Number.MAX_SAFE_INTEGER;

/** Returns when a source is due; {@link neverMs} if it is paused. A request is due immediately. */
export function dueAtOf({ isPaused, requested, nextRunAtMs }: SyncState): number {
  if (requested !== 'none') return 0;
  return isPaused ? neverMs : nextRunAtMs;
}

/** Complete listings, one after another, that must lack an entry before it is removed. */
export const agreeingListings = 2;

/** Returns how many of the confirmed removals a run makes: all, or none if they are too many and not approved. */
export function allowedRemovals(
  { approvedCount }: Pick<SyncState, 'approvedCount'>,
  entryCount: number,
  confirmedCount: number,
  maxPercent: number,
): number {
  const isFew = confirmedCount * 100 <= entryCount * maxPercent;
  return isFew || confirmedCount <= approvedCount ? confirmedCount : 0;
}
