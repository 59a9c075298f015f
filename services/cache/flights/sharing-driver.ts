import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import { decodeBatch, encodeBatch } from '../answers/recording.ts';
import type { Flight } from './flight.ts';
import type { FlightLink, FlightNews, LeaseRef, SharedLease } from './flight-link.ts';
import { next, type Sharing, type SharingEffect, type SharingEvent } from './sharing.ts';

/** Longest wait for a call to the link that no caller waits for, in milliseconds. */
const backgroundMs = 1000;

/** What the driver uses. */
export interface SharingDriverDeps {
  readonly link: FlightLink;
  /** A flight is led here, or by another replica under another lease. */
  readonly onLead: (flight: Flight) => void;
  readonly onRelay: (flight: Flight, leaseId: string, begunAtMs: number) => void;
  readonly heartbeatMs: number;
  /** Longest wait for a channel to be watched, in milliseconds. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** A flight that is shared, or is about to be. */
interface SharedFlight {
  readonly flight: Flight;
  ref: LeaseRef;
  state: Sharing;
  watching: Promise<() => void> | undefined;
  pollTimer: NodeJS.Timeout | undefined;
}

type LinkCall = Extract<SharingEffect, { do: 'send' | 'renew' | 'acquire_again' }>;

/** Performs the effects of {@link next} for every shared flight, and reports their outcome to it. */
export type SharingDriver = ReturnType<typeof createSharingDriver>;

/** Creates the driver. It knows a flight from `share` until its sharing ends. */
export function createSharingDriver(deps: SharingDriverDeps) {
  const { link, heartbeatMs, timeoutMs, log } = deps;
  const shared = new Map<Flight, SharedFlight>();
  let heartbeats: NodeJS.Timeout | undefined;
  const logFailure = (error: unknown) => log.debug({ event: 'flight_link_failed', err: error }, 'flight link failed');

  function dispatch(flight: Flight, event: SharingEvent): void {
    const one = shared.get(flight);
    if (one === undefined) return;
    const [state, effects] = next(one.state, event);
    one.state = state;
    if (state.phase === 'alone') forget(one);
    for (const effect of effects) perform(one, effect);
  }

  function forget({ flight, pollTimer }: SharedFlight): void {
    shared.delete(flight);
    clearTimeout(pollTimer);
    if (shared.size > 0) return;
    clearInterval(heartbeats);
    heartbeats = undefined;
  }

  function perform(one: SharedFlight, effect: SharingEffect): void {
    const { flight, ref } = one;
    switch (effect.do) {
      case 'lead':
        deps.onLead(flight);
        break;
      case 'relay':
        one.ref = { ...ref, leaseId: effect.leaseId };
        deps.onRelay(flight, effect.leaseId, effect.begunAtMs);
        break;
      case 'end':
        flight.end(effect.end);
        break;
      case 'watch':
        watch(one);
        break;
      case 'unwatch':
        one.watching?.then((unwatch) => unwatch()).catch(logFailure);
        one.watching = undefined;
        break;
      case 'poll':
        clearTimeout(one.pollTimer);
        one.pollTimer = setTimeout(() => dispatch(flight, { is: 'news' }), heartbeatMs).unref();
        break;
      case 'release':
        link.release(ref, effect.end, effect.keptMs).catch(logFailure);
        break;
      case 'read':
        read(one, effect.position);
        break;
      default:
        call(one, effect);
    }
  }

  function watch(one: SharedFlight): void {
    const { flight, ref } = one;
    const watching = link.watch(ref, () => dispatch(flight, { is: 'news' }));
    one.watching = watching;
    // If it cannot be watched, polls bring the news.
    within(() => watching, { timeoutMs })
      .catch(logFailure)
      .finally(() => dispatch(flight, { is: 'watched' }));
  }

  function read(one: SharedFlight, position: string): void {
    within(() => link.read(one.ref, position), { timeoutMs: backgroundMs }).then(
      (news) => {
        // The flight may be filled here by now.
        if (one.state.phase === 'relaying') dispatch(one.flight, deliver(one.flight, news));
      },
      (error) => {
        logFailure(error);
        dispatch(one.flight, { is: 'read_failed', nowMs: performance.now() });
      },
    );
  }

  /** Gives what was read to the followers in this process. */
  function deliver(flight: Flight, { batches, position, end, isHeld }: FlightNews): SharingEvent {
    try {
      for (const { event, sizeBytes } of batches.flatMap(decodeBatch)) flight.append(event, sizeBytes);
    } catch (error) {
      logFailure(error);
      return { is: 'unreadable' };
    }
    return { is: 'read', batchCount: batches.length, position, end, isHeld, nowMs: performance.now() };
  }

  function call({ flight, ref }: SharedFlight, effect: LinkCall): void {
    within(() => outcomeOf(link, flight, ref, effect), { timeoutMs: backgroundMs }).then(
      (event) => dispatch(flight, event),
      (error) => {
        logFailure(error);
        dispatch(flight, { is: effect.do === 'send' ? 'send_failed' : 'renew_failed' });
      },
    );
  }

  return {
    /** Begins to share a flight. */
    share(flight: Flight, state: Sharing): void {
      const { tenant, key, leaseId } = flight;
      shared.set(flight, { flight, ref: { tenant, key, leaseId }, state, watching: undefined, pollTimer: undefined });
      heartbeats ??= setInterval(() => {
        for (const each of shared.keys()) dispatch(each, { is: 'heartbeat' });
      }, heartbeatMs).unref();
    },
    /** Reports an event of a flight; does nothing for one that is not shared. */
    dispatch,
    /** Returns the phase of a flight's sharing; `alone` if it is not shared. */
    phaseOf: (flight: Flight): Sharing['phase'] => shared.get(flight)?.state.phase ?? 'alone',
    /** Ends the sharing of every flight. */
    close(): void {
      for (const flight of [...shared.keys()]) dispatch(flight, { is: 'ended', end: 'abandoned', keptMs: 0 });
      clearInterval(heartbeats);
    },
  };
}

/** Makes a call to the link and returns the event of its outcome. */
async function outcomeOf(link: FlightLink, flight: Flight, ref: LeaseRef, effect: LinkCall): Promise<SharingEvent> {
  switch (effect.do) {
    case 'send':
      return { is: 'sent', isHeld: await link.append(ref, encodeBatch(flight.events.slice(effect.from, effect.to))) };
    case 'renew':
      return { is: 'renewed', status: await link.renew(ref), lease: flight, nowMs: performance.now() };
    case 'acquire_again': {
      const { leaseId } = await link.acquire(toLease(flight));
      return { is: 'reacquired', isOurs: leaseId === flight.leaseId };
    }
    default:
      return effect satisfies never;
  }
}

/** Returns the lease of a flight as the link stores it. */
export function toLease(flight: Flight): SharedLease {
  const { tenant, key, question, leaseId, holder, labels, scope, epoch, isRefresh, begunAtMs } = flight;
  return { tenant, key, question, leaseId, holder, labels, scope, epoch, isRefresh, begunAtMs };
}
