import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import type { OpenSource } from './open-source.ts';
import type { SourceLease, SourceStore } from './records/source-store.ts';
import { RunnerStoppedError } from './runner.ts';
import type { Source } from './source.ts';

/** Runs sources when they are due, as one of any number of replicas. */
export interface Scheduler {
  /** Looks for sources immediately. */
  wake(): void;
  /** Stops the runs in progress, which continue later, and starts no others. */
  close(): Promise<void>;
}

/** What a scheduler needs. */
export interface SchedulerDeps {
  sources: SourceStore;
  /** Name of this process, unique among running ones. */
  owner: string;
  maxRunning: number;
  run(lease: SourceLease, stopping: AbortSignal): Promise<void>;
  open: OpenSource;
  log: Logger;
}

const pollMs = 1000;
/** Interval of looking for sources that can be watched, and the time in which their changes are collected. */
const watchMs = { look: 15_000, settle: 1000 };
const watchedMax = 1000;

/** Starts a scheduler. */
export function startScheduler(deps: SchedulerDeps): Scheduler {
  const { sources, owner, maxRunning, run, log } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = new Set<Promise<void>>();
  let woken = new AbortController();
  const wake = () => woken.abort();
  const pause = async (ms: number) => {
    await sleep(ms, AbortSignal.any([signal, woken.signal])).catch(() => {});
    if (woken.signal.aborted) woken = new AbortController();
  };
  const loop = async () => {
    while (!signal.aborted) {
      try {
        const lease = running.size < maxRunning ? await sources.take(owner) : undefined;
        if (lease !== undefined) {
          const done = run(lease, signal).finally(() => {
            running.delete(done);
            wake();
          });
          running.add(done);
          continue;
        }
      } catch (error) {
        if (!signal.aborted) log.warn({ event: 'sources_retry', err: error }, 'sources unreadable, retrying');
      }
      await pause(pollMs);
    }
  };
  const looping = loop();
  const watching = watchSources(deps, signal, wake);
  return {
    wake,
    async close() {
      stopping.abort(new RunnerStoppedError('the indexer is stopping'));
      await Promise.all([looping, watching]);
      await Promise.all(running);
    },
  };
}

/** Runs sources whose place reports changes soon after each. */
async function watchSources(
  { sources, open, log }: Pick<SchedulerDeps, 'sources' | 'open' | 'log'>,
  signal: AbortSignal,
  wake: () => void,
): Promise<void> {
  const watched = new Map<string, { key: string; stop(): Promise<void> }>();
  const look = async () => {
    const found = (await sources.list({ limit: watchedMax })).filter(
      ({ settings, state }) => !state.isPaused && watchable.has(settings.adapter),
    );
    const keys = new Map(found.map((source) => [source.sourceId, `${source.updatedAtMs}`]));
    for (const [sourceId, { key, stop }] of watched) {
      if (keys.get(sourceId) === key) continue;
      watched.delete(sourceId);
      await stop();
    }
    for (const { sourceId, tenant, settings, updatedAtMs } of found) {
      if (watched.has(sourceId)) continue;
      // A place that cannot be opened is reported by its runs.
      const place = await open(tenant, sourceId, settings).catch(() => undefined);
      if (place === undefined) continue;
      const changed = settled(() => {
        sources.change(tenant, sourceId, { kind: 'requested', what: 'run' }).then(wake, (error: unknown) => {
          log.debug({ event: 'source_watch_retry', err: error }, 'source change not recorded');
        });
      });
      watched.set(sourceId, { key: `${updatedAtMs}`, stop: watch(place, changed) });
    }
  };
  while (!signal.aborted) {
    await look().catch((error: unknown) => {
      if (!signal.aborted) log.debug({ event: 'source_watch_retry', err: error }, 'sources not watched yet');
    });
    await sleep(watchMs.look, signal).catch(() => {});
  }
  for (const { stop } of watched.values()) await stop();
}

/** Adapters whose places report changes to this machine. */
const watchable = new Set(['folder']);

function watch(place: Source, changed: { call(): void; stop(): void }): () => Promise<void> {
  const stop = place.watch?.(changed.call);
  return async () => {
    changed.stop();
    stop?.();
    await place.close();
  };
}

/** Calls `work` once for all calls of the last second. */
function settled(work: () => void): { call(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    call() {
      timer ??= setTimeout(() => {
        timer = undefined;
        work();
      }, watchMs.settle).unref();
    },
    stop: () => clearTimeout(timer),
  };
}
