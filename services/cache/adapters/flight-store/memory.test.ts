import { flightStoreSuite } from '../../suites/flight-store.suite.ts';
import { adapter } from './memory.ts';

flightStoreSuite('memory', async (deps) => {
  const store = await adapter.create({}, deps);
  return { here: store, there: store, close: () => store.close() };
});
