// What a replica does about a flight that other replicas share, as a pure state machine: events in, effects out. The driver
// (shared-flights.ts) performs the effects and reports their outcome as events.

/** How a flight ends. */
export type FlightEnd = 'finished' | 'abandoned';

/** The sharing of one flight. */
export type Sharing = Acquiring | Leading | Relaying | { readonly phase: 'alone' };

/** The lease is requested; it is not known yet which replica leads. */
interface Acquiring {
  readonly phase: 'acquiring';
  /** Leads in any case, beside another replica too. */
  readonly alone: boolean;
  /** An invalidation concerns the flight, or it ended, before the lease was granted. */
  readonly isVoid: boolean;
}

/** This replica holds the lease and publishes what the flight says. */
interface Leading {
  readonly phase: 'leading';
  readonly isFilling: boolean;
  /** Events so far, and how many of them are published or being published. */
  readonly eventCount: number;
  readonly sentCount: number;
  readonly isSending: boolean;
  readonly isRenewing: boolean;
  readonly ended: { readonly end: FlightEnd; readonly keptMs: number } | undefined;
}

/** Another replica leads; what it publishes is read here. */
interface Relaying {
  readonly phase: 'relaying';
  /** Position in what the other replica published, as the link counts. */
  readonly position: string;
  readonly isReading: boolean;
  /** There may be more to read than the running read returns. */
  readonly hasNews: boolean;
  /** Time of the last reply of the link. */
  readonly heardAtMs: number;
}

/** What happens to a flight. */
export type SharingEvent =
  /** The link granted the lease to this replica, or another one has it. */
  | { is: 'acquired'; held: { leaseId: string; begunAtMs: number }; isOurs: boolean; nowMs: number }
  | { is: 'acquire_failed' }
  /** The flight said one thing more. */
  | { is: 'appended' }
  | { is: 'sent'; isHeld: boolean }
  | { is: 'send_failed' }
  | { is: 'ended'; end: FlightEnd; keptMs: number }
  /** Time to show that this replica lives. */
  | { is: 'heartbeat' }
  | {
      is: 'renewed';
      status: 'held' | 'moved' | 'gone' | 'lost';
      lease: { leaseId: string; begunAtMs: number };
      nowMs: number;
    }
  | { is: 'renew_failed' }
  | { is: 'reacquired'; isOurs: boolean }
  /** The channel of the flight is watched, or cannot be. */
  | { is: 'watched' }
  /** The channel of the flight has news, or it is time to look. */
  | { is: 'news' }
  | { is: 'read'; batchCount: number; position: string; end: FlightEnd | undefined; isHeld: boolean; nowMs: number }
  | { is: 'read_failed'; nowMs: number }
  /** What was read cannot be used. */
  | { is: 'unreadable' }
  /** A Fill of this process begins with the lease. */
  | { is: 'taken' }
  /** Another caller used the lease first. */
  | { is: 'take_refused' }
  | { is: 'tainted' }
  | { is: 'unfollowed' };

/** What the driver does next. */
export type SharingEffect =
  /** The flight is led here. */
  | { do: 'lead' }
  /** The flight is led by another replica, under this lease. */
  | { do: 'relay'; leaseId: string; begunAtMs: number }
  | { do: 'watch' }
  | { do: 'unwatch' }
  /** Publishes the events from one count up to another. */
  | { do: 'send'; from: number; to: number }
  | { do: 'release'; end: FlightEnd; keptMs: number }
  | { do: 'renew' }
  | { do: 'acquire_again' }
  | { do: 'read'; position: string }
  /** Reports `news` after one heartbeat if nothing else does. */
  | { do: 'poll' }
  /** Ends the flight in this process. */
  | { do: 'end'; end: FlightEnd };

/** A state and what to do on entering it. */
export type Step = readonly [state: Sharing, effects: readonly SharingEffect[]];

/** Time without a reply of the link after which a relay ends, in milliseconds. */
export const silentLinkMs = 1500;

const alone = { phase: 'alone' } as const;
const stay = (state: Sharing): Step => [state, []];

/** Returns the state in which the lease of a flight is requested. */
export const acquiring = (isAlone: boolean): Sharing => ({ phase: 'acquiring', alone: isAlone, isVoid: false });

/** Returns the state of a flight that is filled here under a lease that the link already granted. */
export const filling = (): Sharing => ({ ...leading, isFilling: true });

const leading: Leading = {
  phase: 'leading',
  isFilling: false,
  eventCount: 0,
  sentCount: 0,
  isSending: false,
  isRenewing: false,
  ended: undefined,
};

/** Returns the next state and the effects of an event. An event that a state does not expect changes nothing. */
export function next(state: Sharing, event: SharingEvent): Step {
  switch (state.phase) {
    case 'acquiring':
      return nextAcquiring(state, event);
    case 'leading':
      return nextLeading(state, event);
    case 'relaying':
      return nextRelaying(state, event);
    case 'alone':
      return stay(state);
    default:
      return state satisfies never;
  }
}

function nextAcquiring(state: Acquiring, event: SharingEvent): Step {
  switch (event.is) {
    case 'acquired': {
      if (event.isOurs && state.isVoid)
        return [alone, [{ do: 'release', end: 'abandoned', keptMs: 0 }, { do: 'lead' }]];
      if (event.isOurs) return [leading, [{ do: 'lead' }, { do: 'watch' }]];
      if (state.alone || state.isVoid) return [alone, [{ do: 'lead' }]];
      return relay(event.held, event.nowMs);
    }
    case 'acquire_failed':
      // The link may have granted it after the caller stopped waiting.
      return [alone, [{ do: 'release', end: 'abandoned', keptMs: 0 }, { do: 'lead' }]];
    case 'tainted':
    case 'ended':
      return stay({ ...state, isVoid: true });
    default:
      return stay(state);
  }
}

function nextLeading(state: Leading, event: SharingEvent): Step {
  switch (event.is) {
    case 'appended':
      return send({ ...state, eventCount: state.eventCount + 1 });
    case 'sent':
      return event.isHeld ? send({ ...state, isSending: false }) : lose();
    case 'send_failed':
    case 'tainted':
      // Followers on other replicas find that the lease is gone, and one of them leads.
      return [alone, [{ do: 'unwatch' }, { do: 'release', end: 'abandoned', keptMs: 0 }]];
    case 'ended':
      return send({ ...state, ended: { end: event.end, keptMs: event.keptMs } });
    case 'taken':
      return [{ ...state, isFilling: true }, [{ do: 'unwatch' }]];
    case 'take_refused':
      return lose();
    default:
      return nextLease(state, event);
  }
}

/** Handles what concerns the lease itself. */
function nextLease(state: Leading, event: SharingEvent): Step {
  switch (event.is) {
    case 'heartbeat':
      return renew(state);
    case 'news':
      // The channel of a lease that waits for its Fill has news when another replica takes it.
      return state.isFilling ? stay(state) : renew(state);
    case 'renewed':
      switch (event.status) {
        case 'held':
          return stay({ ...state, isRenewing: false });
        case 'gone':
          // This replica was too slow, and no other one took over.
          return state.ended === undefined ? [state, [{ do: 'acquire_again' }]] : stay({ ...state, isRenewing: false });
        case 'moved':
          return state.isFilling || state.ended !== undefined ? lose() : moved(event);
        case 'lost':
          return lose();
        default:
          return event.status satisfies never;
      }
    case 'renew_failed':
      return stay({ ...state, isRenewing: false });
    case 'reacquired':
      return event.isOurs ? stay({ ...state, isRenewing: false }) : lose();
    default:
      return stay(state);
  }
}

function nextRelaying(state: Relaying, event: SharingEvent): Step {
  switch (event.is) {
    case 'watched':
    case 'news':
      return state.isReading ? stay({ ...state, hasNews: true }) : read(state);
    case 'read': {
      if (event.end !== undefined) return endRelay(event.end);
      const heard = { ...state, position: event.position, heardAtMs: event.nowMs };
      if (event.batchCount > 0) return read(heard);
      // The replica that led has died or gave the lease up.
      return event.isHeld ? readLater(heard) : endRelay('abandoned');
    }
    case 'read_failed':
      return event.nowMs - state.heardAtMs > silentLinkMs ? endRelay('abandoned') : readLater(state);
    case 'unreadable':
    case 'unfollowed':
      return endRelay('abandoned');
    case 'ended':
      return [alone, [{ do: 'unwatch' }]];
    case 'taken':
      return [filling(), [{ do: 'unwatch' }]];
    default:
      return stay(state);
  }
}

/** Publishes what is new, one batch at a time: while one is in flight, the next one grows. The end follows the last one. */
function send(state: Leading): Step {
  const { eventCount, sentCount, isSending, ended } = state;
  if (isSending) return stay(state);
  if (sentCount < eventCount) {
    return [{ ...state, sentCount: eventCount, isSending: true }, [{ do: 'send', from: sentCount, to: eventCount }]];
  }
  return ended === undefined ? stay(state) : [alone, [{ do: 'unwatch' }, { do: 'release', ...ended }]];
}

function renew(state: Leading): Step {
  if (state.isRenewing || state.ended !== undefined) return stay(state);
  return [{ ...state, isRenewing: true }, [{ do: 'renew' }]];
}

const lose = (): Step => [alone, [{ do: 'unwatch' }]];

function moved({ lease, nowMs }: { lease: { leaseId: string; begunAtMs: number }; nowMs: number }): Step {
  const [state, effects] = relay(lease, nowMs);
  return [state, [{ do: 'unwatch' }, ...effects]];
}

function relay({ leaseId, begunAtMs }: { leaseId: string; begunAtMs: number }, nowMs: number): Step {
  return [
    { phase: 'relaying', position: '0', isReading: false, hasNews: false, heardAtMs: nowMs },
    // The first read follows when the channel is watched, so that nothing is missed in between.
    [{ do: 'relay', leaseId, begunAtMs }, { do: 'watch' }],
  ];
}

const read = (state: Relaying): Step => [
  { ...state, isReading: true, hasNews: false },
  [{ do: 'read', position: state.position }],
];

const readLater = (state: Relaying): Step =>
  state.hasNews ? read(state) : [{ ...state, isReading: false }, [{ do: 'poll' }]];

const endRelay = (end: FlightEnd): Step => [alone, [{ do: 'unwatch' }, { do: 'end', end }]];
