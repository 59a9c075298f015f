import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { SweepStore } from './sweep-store.ts';

/** Background work of which one process at a time does each kind. */
export interface Sweep {
  name: string;
  /** Time from an end to the next start, in milliseconds. */
  everyMs: number;
  /** Does the work. The signal aborts when the process stops, or no longer has the right to do it. */
  run(signal: AbortSignal): Promise<unknown>;
}

/** What sweeps need. */
export interface SweepDeps {
  store: Pick<SweepStore, 'takeSweep' | 'renewSweep' | 'releaseSweep'>;
  /** Name of this process, unique among running ones. */
  owner: string;
  clock: () => number;
  log: Logger;
  /** Times in milliseconds: between two looks for work that is due, of a lease, and between two renewals. */
  timing?: { pollMs: number; leaseMs: number; renewMs: number };
}

const defaultTiming = { pollMs: 60_000, leaseMs: 300_000, renewMs: 60_000 };

/** Starts sweeps as one of any number of replicas. `close` stops those in progress, and resolves when they have ended. */
export function startSweeps(sweeps: readonly Sweep[], deps: SweepDeps): { close(): Promise<void> } {
  const { log, timing: { pollMs } = defaultTiming } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const running = sweeps.map(async (sweep) => {
    while (!signal.aborted) {
      await sweepIfDue(sweep, deps, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        log.warn({ event: 'privacy_work_retry', sweep: sweep.name, err: error }, 'background work failed, retrying');
      });
      await sleep(pollMs, signal).catch(() => {});
    }
  });
  return {
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

async function sweepIfDue({ name, everyMs, run }: Sweep, deps: SweepDeps, stopping: AbortSignal): Promise<void> {
  const { store, owner, clock, timing: { leaseMs } = defaultTiming } = deps;
  const startedMs = clock();
  if (!(await store.takeSweep(name, owner, startedMs, startedMs + leaseMs))) return;
  const ending = new AbortController();
  const lost = new AbortController();
  const renewing = keepLease(name, deps, AbortSignal.any([ending.signal, stopping]), lost);
  let dueAtMs = startedMs;
  try {
    await run(AbortSignal.any([stopping, lost.signal]));
    if (!stopping.aborted && !lost.signal.aborted) dueAtMs = clock() + everyMs;
  } finally {
    ending.abort();
    await renewing;
    await store.releaseSweep(name, owner, dueAtMs);
  }
}

/** Renews a lease until `over`. Aborts `lost` when another process has it, or when it has ended because it could not be renewed. */
async function keepLease(name: string, deps: SweepDeps, over: AbortSignal, lost: AbortController): Promise<void> {
  const { store, owner, clock, log, timing: { leaseMs, renewMs } = defaultTiming } = deps;
  let untilMs = clock() + leaseMs;
  while (!over.aborted && !lost.signal.aborted) {
    await sleep(renewMs, over).catch(() => {});
    if (over.aborted) return;
    const nextMs = clock() + leaseMs;
    const isOurs = await store.renewSweep(name, owner, nextMs).catch((error: unknown) => {
      log.warn({ event: 'privacy_lease_not_renewed', sweep: name, err: error }, 'lease not renewed, retrying');
      return undefined;
    });
    if (isOurs) untilMs = nextMs;
    else if (isOurs === false || clock() >= untilMs) lost.abort(new Error(`another replica runs "${name}"`));
  }
}
