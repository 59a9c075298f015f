import { createGuard } from '../answers/store-guard.ts';
import type { Flight } from './flight.ts';
import type { FlightLink } from './flight-link.ts';
import type { FlightStore, FlightStoreDeps } from './flight-store.ts';
import { keyOfLease } from './flight-store.ts';
import { createFlights } from './flights.ts';
import { acquiring, filling } from './sharing.ts';
import { createSharingDriver, type SharingDriver, toLease } from './sharing-driver.ts';

/** Times of sharing, in milliseconds. */
export interface SharingTimes {
  /** Without a heartbeat for this long, a lease is lost. */
  leaseMs: number;
}

/** Time for which newcomers find a finished flight by its key, in milliseconds: until its answer is certainly in the durable store. */
const keptMs = 2000;

/**
 * Creates the flights of several replicas. Callers of this process meet in its own list. For each flight that another replica leads, one
 * relay copies the events here, for all of them. If the link fails, each replica continues by itself. What to do when is decided in
 * sharing.ts.
 */
export function createSharedFlights(deps: FlightStoreDeps, link: FlightLink, { leaseMs }: SharingTimes): FlightStore {
  const { timeoutMs, log } = deps;
  const guard = createGuard('flight-store', (state) =>
    log.info({ event: 'flight_store_circuit', state }, 'flight store circuit changed'),
  );
  const logFailure = (error: unknown) => log.debug({ event: 'flight_link_failed', err: error }, 'flight link failed');
  const flights = createFlights(deps, {
    appended: (flight) => driver.dispatch(flight, { is: 'appended' }),
    ended(flight) {
      const end = flight.state === 'finished' ? 'finished' : 'abandoned';
      driver.dispatch(flight, { is: 'ended', end, keptMs: flight.isKept && !flight.isTainted ? keptMs : 0 });
    },
    unfollowed: (flight) => driver.dispatch(flight, { is: 'unfollowed' }),
  });
  const driver: SharingDriver = createSharingDriver({
    ...{ link, timeoutMs, log },
    heartbeatMs: Math.ceil(leaseMs / 5),
    onLead: flights.lead,
    onRelay: flights.relay,
  });

  /** Takes a lease that another replica issued. */
  async function takeIssuedElsewhere(tenant: string, leaseId: string, holder: string): Promise<Flight | undefined> {
    const key = keyOfLease(leaseId);
    if (key === undefined || flights.withLease(leaseId)?.state === 'filling') return undefined;
    const lease = await guard
      .run(() => link.take({ tenant, key, leaseId }, holder), timeoutMs)
      .catch((error: unknown) => {
        logFailure(error);
        return undefined;
      });
    if (lease === undefined) return undefined;
    const relayed = flights.withLease(leaseId);
    if (relayed !== undefined && driver.phaseOf(relayed) === 'relaying') {
      relayed.state = 'filling';
      driver.dispatch(relayed, { is: 'taken' });
      return relayed;
    }
    const flight = flights.begin(lease, 'filling');
    driver.share(flight, filling());
    return flight;
  }

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
      driver.share(flight, acquiring(alone));
      try {
        const held = await guard.run(() => link.acquire(toLease(flight)), timeoutMs);
        const isOurs = held.leaseId === flight.leaseId;
        driver.dispatch(flight, { is: 'acquired', held, isOurs, nowMs: performance.now() });
      } catch (error) {
        logFailure(error);
        driver.dispatch(flight, { is: 'acquire_failed' });
      }
      return { flight, leads: driver.phaseOf(flight) !== 'relaying' };
    },
    async take(tenant, leaseId, holder) {
      const here = flights.take(tenant, leaseId, holder);
      if (here === undefined) return takeIssuedElsewhere(tenant, leaseId, holder);
      if (driver.phaseOf(here) !== 'leading') return here;
      driver.dispatch(here, { is: 'taken' });
      // Without the link, no other replica can fill it.
      const lease = await guard
        .run(() => link.take({ tenant, key: here.key, leaseId }, holder), timeoutMs)
        .catch(() => here);
      if (lease !== undefined) return here;
      driver.dispatch(here, { is: 'take_refused' });
      here.end('abandoned');
      return undefined;
    },
    taint(tenant, target) {
      // Followers on other replicas start again; those of this process asked before the invalidation.
      for (const flight of flights.taint(tenant, target)) driver.dispatch(flight, { is: 'tainted' });
    },
    async close() {
      flights.close();
      driver.close();
      await link.close();
    },
  };
}
