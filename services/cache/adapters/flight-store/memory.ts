import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { FlightStore, FlightStoreDeps } from '../../flights/flight-store.ts';
import { createFlights } from '../../flights/flights.ts';

/** The running generations of this process alone. */
export const adapter = defineAdapter({
  settings: {},
  create: (_settings, deps: FlightStoreDeps): FlightStore => {
    const flights = createFlights(deps);
    return {
      followable: flights.followable,
      async enter(init, alone) {
        const flight = alone ? undefined : flights.followable(init.key);
        return flight === undefined ? { flight: flights.begin(init), leads: true } : { flight, leads: false };
      },
      async take(tenant, leaseId, holder) {
        return flights.take(tenant, leaseId, holder);
      },
      taint(tenant, target) {
        flights.taint(tenant, target);
      },
      async close() {
        flights.close();
      },
    };
  },
});
