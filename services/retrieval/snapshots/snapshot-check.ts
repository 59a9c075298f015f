import { within } from '#kit/base/within.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { Snapshots } from './snapshots.ts';

/** Longest time that a start waits for snapshots; SQLite answers after that until they are loaded. */
const longestStartMs = 60_000;
/** Time that a check waits, so that the first one finds small snapshots loaded. */
const checkMs = 800;

/** Returns the check that the snapshots of a start are loaded: the first answers are then as fast as later ones. */
export function snapshotCheck(all: readonly Snapshots[]): ReadinessCheck {
  const loaded = within(() => Promise.all(all.map((snapshots) => snapshots.started())), {
    timeoutMs: longestStartMs,
  }).catch(() => {});
  const toTimeoutError = () => new Error('index versions are being loaded into memory');
  return {
    name: 'snapshots',
    check: (signal) => within(() => loaded, { timeoutMs: checkMs, signals: [signal], toTimeoutError }),
  };
}
