/** Moving average of the time to a first token. */
export interface Latency {
  /**
   * What a first token took of late, in milliseconds; 0 without a measurement. A figure that nothing renews fades, so that a target
   * that was slow once is tried again.
   */
  readonly ms: number;
  /** Takes a measurement in. */
  observe(ms: number): void;
}

/** Weight of the newest measurement. */
const weight = 0.3;
/** Time in which a figure that nothing renews falls to its half, in milliseconds. */
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
