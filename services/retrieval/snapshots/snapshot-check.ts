import { within } from '#kit/base/within.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { Snapshots } from './snapshots.ts';

/** Longest time that a start waits for snapshots; SQLite answers after that until they are loaded. */
const longestStartMs = 60_000;
/** Time that a check waits, so that the first one finds small snapshots loaded. */
const checkMs = 800;

/**
 * Returns the check that the snapshots of a start are loaded and `warmUp` has ended, so that the first answers are as fast as later ones. `warmUp`
 * gets the tenants that have a snapshot, the most recently used first; it runs once, after all services have started.
 */
export function snapshotCheck(
  all: readonly Snapshots[],
  warmUp: (tenants: readonly string[], signal: AbortSignal) => Promise<void>,
): ReadinessCheck {
  let preparing: Promise<void> | undefined;
  const prepare = async (signal: AbortSignal) => {
    const tenants = await Promise.all(all.map((snapshots) => snapshots.started()));
    await warmUp([...new Set(tenants.flat())], signal);
  };
  const toTimeoutError = () => new Error('index versions are being loaded into memory');
  return {
    name: 'snapshots',
    check(signal) {
      preparing ??= within(prepare, { timeoutMs: longestStartMs }).catch(() => {});
      const waited = preparing;
      return within(() => waited, { timeoutMs: checkMs, signals: [signal], toTimeoutError });
    },
  };
}
