import { within } from '#kit/base/within.ts';
import { decodeBatch, encodeBatch } from '../answers/recording.ts';
import { createGuard } from '../answers/store-guard.ts';
import type { Flight, FlightInit } from './flight.ts';
import type { FlightStore, FlightStoreDeps } from './flight-store.ts';
import { keyOfLease } from './flight-store.ts';
import { createFlights } from './flights.ts';

/** A lease that replicas can see, by name. */
export interface LeaseRef {
  tenant: string;
  key: string;
  leaseId: string;
}

/** A lease as it is kept. */
export interface SharedLease extends FlightInit {
  leaseId: string;
  begunAtMs: number;
}

/** What the flights of several replicas are shared through. Every call may reject, or take for ever. */
export interface FlightLink {
  /** Takes the lease of a key that nobody holds. Resolves to the one that is held: this one, or another. */
  acquire(lease: SharedLease): Promise<{ leaseId: string; begunAtMs: number }>;
  /** Takes a lease for its Fill, which may have been given out by another replica; `undefined` where there is no such lease. */
  take(ref: LeaseRef, holder: string): Promise<SharedLease | undefined>;
  /** Holds a lease for longer. `moved`: another replica fills it now; `gone`: nobody has the key; `lost`: another lease has. */
  renew(ref: LeaseRef): Promise<'held' | 'moved' | 'gone' | 'lost'>;
  /** Adds to what a flight has said; resolves to false where its lease is lost. */
  append(ref: LeaseRef, batch: Uint8Array): Promise<boolean>;
  /** Ends a flight. `keptMs`: time that newcomers still find it by its key. */
  release(ref: LeaseRef, state: 'finished' | 'abandoned', keptMs: number): Promise<void>;
  /** What a flight has said after `position`, how it has ended, and whether its lease is held. */
  read(ref: LeaseRef, position: string): Promise<FlightNews>;
  /** Has `onNews` called when there may be more to read, until the returned function is called. */
  watch(ref: LeaseRef, onNews: () => void): Promise<() => void>;
  close(): Promise<void>;
}

/** What was said since a position. */
export interface FlightNews {
  batches: Uint8Array[];
  position: string;
  end: 'finished' | 'abandoned' | undefined;
  isHeld: boolean;
}

/** Times of sharing, in milliseconds. */
export interface SharingTimes {
  /** Without a sign of life for this long, a lease is lost. */
  leaseMs: number;
}

/** Time that newcomers find a finished flight by its key: until its answer is surely in the durable store. */
const keptMs = 2000;
/** Longest wait for a write, and for what a relay reads: nobody waits for it alone. */
const patientMs = 1000;
/** Time without word from the link after which a relay gives up. */
const giveUpMs = 1500;

/** What is known of a flight that is led here and shared. */
interface Sharing {
  ref: LeaseRef;
  sentCount: number;
  pumping: boolean;
  unwatch: (() => void) | undefined;
}

/**
 * Flights over several replicas. Callers of this process meet in its own list; of each flight that another replica leads, one relay brings
 * the events here, for all of them. Where the link fails, each replica goes on by itself.
 */
export function createSharedFlights(deps: FlightStoreDeps, link: FlightLink, { leaseMs }: SharingTimes): FlightStore {
  const { timeoutMs, log } = deps;
  const heartbeatMs = Math.ceil(leaseMs / 5);
  const guard = createGuard('flight-store', (state) => log.info({ state }, 'flight store breaker'));
  const shared = new Map<Flight, Sharing>();
  const relays = new Map<Flight, { stop(): void }>();
  let timer: NodeJS.Timeout | undefined;

  const quietly = (work: Promise<unknown>, what: string) => {
    work.catch((error: unknown) => log.debug({ err: error }, what));
  };
  const flights = createFlights(deps, {
    appended(flight) {
      if (shared.has(flight)) quietly(pump(flight), 'sharing events');
    },
    ended(flight) {
      relays.get(flight)?.stop();
      if (shared.has(flight)) quietly(pump(flight), 'sharing an end');
    },
    unfollowed(flight) {
      if (flight.state === 'relayed') flight.end('abandoned');
    },
  });

  /** Goes on without the others: they notice that the lease is gone. */
  const unshare = (flight: Flight, doRelease: boolean) => {
    const sharing = shared.get(flight);
    if (sharing === undefined) return;
    shared.delete(flight);
    sharing.unwatch?.();
    if (shared.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    if (doRelease) quietly(link.release(sharing.ref, 'abandoned', 0), 'releasing a lease');
  };

  const share = (flight: Flight) => {
    const ref = { tenant: flight.tenant, key: flight.key, leaseId: flight.leaseId };
    const sharing: Sharing = { ref, sentCount: 0, pumping: false, unwatch: undefined };
    shared.set(flight, sharing);
    timer ??= setInterval(() => {
      for (const each of shared.keys()) quietly(renew(each), 'renewing a lease');
    }, heartbeatMs).unref();
    return sharing;
  };

  // Sends what was appended, one batch at a time: while one is under way, the next one grows.
  async function pump(flight: Flight): Promise<void> {
    const sharing = shared.get(flight);
    if (sharing === undefined || sharing.pumping) return;
    sharing.pumping = true;
    try {
      while (shared.has(flight)) {
        const batch = flight.events.slice(sharing.sentCount);
        if (batch.length > 0) {
          sharing.sentCount += batch.length;
          const isHeld = await within(() => link.append(sharing.ref, encodeBatch(batch)), { timeoutMs: patientMs });
          if (!isHeld) unshare(flight, false);
        } else if (flight.isOver) {
          const state = flight.state === 'finished' ? 'finished' : 'abandoned';
          const released = link.release(sharing.ref, state, flight.isKept && !flight.isTainted ? keptMs : 0);
          unshare(flight, false);
          await released;
        } else return;
      }
    } catch (error) {
      log.debug({ err: error }, 'a flight goes on without other replicas');
      unshare(flight, true);
    } finally {
      sharing.pumping = false;
    }
  }

  async function renew(flight: Flight): Promise<void> {
    const sharing = shared.get(flight);
    if (sharing === undefined || flight.isOver) return;
    const status = await within(() => link.renew(sharing.ref), { timeoutMs: patientMs });
    if (!shared.has(flight) || flight.isOver) return;
    if (status === 'moved' && flight.state === 'leased') {
      unshare(flight, false);
      startRelay(flight, flight.leaseId, flight.begunAtMs);
    } else if (status === 'gone') {
      // Held up for too long, and nobody has taken over: still ours.
      const { leaseId } = await within(() => link.acquire(toLease(flight)), { timeoutMs: patientMs });
      if (leaseId !== flight.leaseId) unshare(flight, false);
    } else if (status !== 'held') unshare(flight, false);
  }

  /** Brings here what another replica's flight says. */
  function startRelay(flight: Flight, leaseId: string, begunAtMs: number): void {
    flights.relay(flight, leaseId, begunAtMs);
    const ref = { tenant: flight.tenant, key: flight.key, leaseId };
    let wake = () => {};
    let hasNews = false;
    let isStopped = false;
    let pollTimer: NodeJS.Timeout | undefined;
    const onNews = () => {
      hasNews = true;
      wake();
    };
    relays.set(flight, {
      stop() {
        isStopped = true;
        relays.delete(flight);
        onNews();
      },
    });
    const news = () =>
      new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(pollTimer);
          resolve();
        };
        wake = done;
        pollTimer = setTimeout(done, heartbeatMs).unref();
        if (hasNews) done();
      });
    const run = async () => {
      // Without it, the next poll brings the news.
      const watching = link.watch(ref, onNews);
      await within(() => watching, { timeoutMs }).catch(() => {});
      let position = '0';
      let heardAt = performance.now();
      try {
        while (!isStopped) {
          hasNews = false;
          const said = await within(() => link.read(ref, position), { timeoutMs: patientMs }).catch(
            (error: unknown) => {
              log.debug({ err: error }, 'relaying a flight');
              return undefined;
            },
          );
          if (isStopped) return;
          if (said !== undefined) {
            heardAt = performance.now();
            position = said.position;
            for (const { event, sizeBytes } of said.batches.flatMap(decodeBatch)) flight.append(event, sizeBytes);
            if (said.end !== undefined) return flight.end(said.end);
            if (said.batches.length > 0) continue;
            // Whoever led has died, or was told to stop.
            if (!said.isHeld) return flight.end('abandoned');
          } else if (performance.now() - heardAt > giveUpMs) return flight.end('abandoned');
          await news();
        }
      } catch (error) {
        log.debug({ err: error }, 'relaying a flight');
        flight.end('abandoned');
      } finally {
        relays.delete(flight);
        watching.then((unwatch) => unwatch()).catch(() => {});
      }
    };
    quietly(run(), 'relaying a flight');
  }

  /** Learns of a Fill that begins at another replica sooner than by the next heartbeat. */
  const watchLease = async (flight: Flight) => {
    const sharing = shared.get(flight);
    if (sharing === undefined) return;
    const unwatch = await link.watch(sharing.ref, () => {
      if (flight.state === 'leased') quietly(renew(flight), 'renewing a lease');
    });
    if (shared.get(flight) === sharing && flight.state === 'leased') sharing.unwatch = unwatch;
    else unwatch();
  };

  return {
    followable: flights.followable,
    async enter(init, alone) {
      const known = flights.followable(init.key);
      if (known !== undefined && !alone) return { flight: known, leads: false };
      const flight = flights.begin(init, 'joining');
      if (!flights.isFollowable(flight)) {
        flights.lead(flight);
        return { flight, leads: true };
      }
      try {
        const held = await guard.run(() => link.acquire(toLease(flight)), timeoutMs);
        if (held.leaseId === flight.leaseId) {
          if (flight.isTainted) quietly(link.release(flight, 'abandoned', 0), 'releasing a lease');
          else share(flight);
          quietly(watchLease(flight), 'watching a lease');
        } else if (!alone && !flight.isTainted) {
          startRelay(flight, held.leaseId, held.begunAtMs);
          return { flight, leads: false };
        }
      } catch (error) {
        log.debug({ err: error }, 'a flight begins without other replicas');
        // It may have been taken all the same, too late.
        quietly(link.release(flight, 'abandoned', 0), 'releasing a lease');
      }
      flights.lead(flight);
      return { flight, leads: true };
    },
    async take(tenant, leaseId, holder) {
      const here = flights.take(tenant, leaseId, holder);
      if (here !== undefined) {
        const sharing = shared.get(here);
        sharing?.unwatch?.();
        // Nobody else may begin to fill it, and nobody else has.
        const lease = await (sharing && guard.run(() => link.take(sharing.ref, holder), timeoutMs).catch(() => here));
        if (sharing !== undefined && lease === undefined) {
          unshare(here, false);
          here.end('abandoned');
          return undefined;
        }
        return here;
      }
      const key = keyOfLease(leaseId);
      if (key === undefined || flights.withLease(leaseId)?.state === 'filling') return undefined;
      const lease = await guard
        .run(() => link.take({ tenant, key, leaseId }, holder), timeoutMs)
        .catch((error: unknown) => {
          log.debug({ err: error }, 'taking a lease');
          return undefined;
        });
      if (lease === undefined) return undefined;
      const relayed = flights.withLease(leaseId);
      if (relayed !== undefined) {
        relays.get(relayed)?.stop();
        relayed.state = 'filling';
      }
      const flight = relayed ?? flights.begin(lease, 'filling');
      share(flight);
      return flight;
    },
    taint(tenant, target) {
      // Followers elsewhere begin anew; those here had asked before the invalidation.
      for (const flight of flights.taint(tenant, target)) unshare(flight, true);
    },
    async close() {
      flights.close();
      for (const relay of [...relays.values()]) relay.stop();
      clearInterval(timer);
      await link.close();
    },
  };
}

function toLease(flight: Flight): SharedLease {
  const { tenant, key, question, leaseId, holder, labels, scope, epoch, isRefresh, begunAtMs } = flight;
  return { tenant, key, question, leaseId, holder, labels, scope, epoch, isRefresh, begunAtMs };
}
