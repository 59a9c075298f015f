import type { Logger } from '#kit/base/log.ts';
import type { Layers } from '../answers/layers.ts';
import type { CacheSettings } from '../config.ts';
import type { FlightStore } from '../flights/flight-store.ts';
import type { CacheMetrics } from '../metrics.ts';
import type { ByMeaning } from '../semantic/by-meaning.ts';
import type { Stats } from './stats.ts';

/** What the rpcs of the cache are made of. */
export interface RpcDeps {
  settings: CacheSettings;
  layers: Layers;
  flights: FlightStore;
  stats: Stats;
  /** `undefined` if the semantic layer is off. */
  meaning: ByMeaning | undefined;
  clock: () => number;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  /** Returns a new lease id for a key. */
  newId: (key: string) => string;
  metrics: CacheMetrics;
  log: Logger;
}
