/** Moving average of the time to a first token. */
export interface Latency {
  /**
   * Recent time to a first token, in milliseconds; 0 without a measurement. It decays without new measurements, so that a target that
   * was slow once is tried again.
   */
  readonly ms: number;
  /** Adds a measurement. */
  observe(ms: number): void;
}

/** Weight of the newest measurement. */
const weight = 0.3;
/** Half-life of the average without new measurements, in milliseconds. */
const halfLifeMs = 30_000;

/** Creates an average without a measurement. `now` is in milliseconds and never goes back. */
export function createLatency(now: () => number): Latency {
  let average = 0;
  let observedAt = 0;
  return {
    get ms() {
      return average * 0.5 ** ((now() - observedAt) / halfLifeMs);
    },
    observe(ms) {
      average = average === 0 ? ms : average + weight * (ms - average);
      observedAt = now();
    },
  };
}
