import type { FusedResult, RetrieveRequest } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { spareTurn } from '#kit/base/own-turn.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { TrialSums } from '../catalog/trials.ts';
import type { IndexRegistry } from '../index/index-registry.ts';
import type { IndexView } from '../index/index-view.ts';
import type { RetrievalMetrics } from '../metrics.ts';
import { addSums, compareRankings, noSums } from './compare.ts';
import { trialOf } from './trial.ts';

/** What shadow searches need. */
export interface ShadowDeps {
  catalog: Pick<Catalog, 'trials'>;
  indices: IndexRegistry;
  metrics: Pick<RetrievalMetrics, 'trialSearchTotal' | 'trialOverlap'>;
  /** Returns a number from 0 up to 1. */
  random: () => number;
  log: Logger;
  /** Runs a search in versions that the request names, published or not. */
  search(request: RetrieveRequest, context: CallContext): Promise<FusedResult | undefined>;
}

/** Searches of the live version that are made in a version on trial too. */
export interface Shadows {
  /** Makes a search again if the shares of trials say so, later and at most one at a time. Never waits, never throws. */
  offer(view: IndexView, request: RetrieveRequest, context: CallContext, result: FusedResult): void;
  /** Writes what was found and not written yet of a tenant's trials. Belongs to no change. */
  flush(tenant: string): Promise<void>;
  /** Resolves when no search waits or runs. */
  idle(): Promise<void>;
  /** Cancels what waits and runs, and writes what was found. */
  close(): Promise<void>;
}

/** A search to make again. */
interface Task {
  tenant: string;
  corpusId: number;
  version: number;
  request: RetrieveRequest;
  context: CallContext;
  live: FusedResult;
}

/** Searches that wait; more are left out and counted. */
const maxWaiting = 16;
/** Longest time of a search. */
const timeoutMs = 10_000;
/** Longest time for which a search lets others go first. */
const maxSpareWaitMs = 1000;
/** Time after which counts are written. */
const flushMs = 5_000;

/** Creates the shadow searches of a process. */
export function createShadows(deps: ShadowDeps): Shadows {
  const { metrics, random, log } = deps;
  const closing = new AbortController();
  const waiting: Task[] = [];
  const unwritten = new Map<string, Pick<Task, 'tenant' | 'corpusId' | 'version'> & { sums: TrialSums }>();
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const count = ({ tenant, corpusId, version }: Task, sums: Partial<TrialSums>) => {
    const key = JSON.stringify([tenant, corpusId, version]);
    const before = unwritten.get(key)?.sums ?? noSums;
    unwritten.set(key, { tenant, corpusId, version, sums: addSums(before, sums) });
    timer ??= setTimeout(() => {
      timer = undefined;
      for (const tenant of new Set([...unwritten.values()].map((one) => one.tenant))) void flush(tenant);
    }, flushMs).unref();
  };
  const flush = async (tenant: string): Promise<void> => {
    for (const [key, { corpusId, version, sums, ...of }] of [...unwritten]) {
      if (of.tenant !== tenant) continue;
      unwritten.delete(key);
      const write = () => deps.catalog.trials.add(tenant, corpusId, version, sums);
      try {
        await deps.indices.use(tenant, (index) => index.exclusive(AbortSignal.timeout(timeoutMs), write));
      } catch (error) {
        // Counts of searches are no reason to fail anything.
        log.warn({ event: 'trial_counts_lost', tenant, corpusId, err: error }, 'counts of a trial lost');
      }
    }
  };
  const run = async (task: Task): Promise<void> => {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)]);
    try {
      await spareTurn(maxSpareWaitMs, signal);
      const found = await deps.search(task.request, detached(task.context, signal));
      if (found === undefined || found.degradations.length > 0) throw new Error('the search was not complete');
      const sums = compareRankings(task.live.passages, found.passages);
      metrics.trialSearchTotal.inc({ result: sums.same === 1 ? 'same' : 'other' });
      metrics.trialOverlap.observe(sums.overlap);
      count(task, sums);
    } catch (error) {
      if (closing.signal.aborted) return;
      metrics.trialSearchTotal.inc({ result: 'failed' });
      count(task, { failed: 1 });
      log.warn({ event: 'shadow_search_failed', corpusId: task.corpusId, err: error }, 'shadow search failed');
    }
  };
  const runAll = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) await run(task);
    running = undefined;
  };
  const add = (task: Task) => {
    if (closing.signal.aborted) return;
    if (waiting.length >= maxWaiting) {
      metrics.trialSearchTotal.inc({ result: 'dropped' });
      count(task, { dropped: 1 });
      return;
    }
    waiting.push(task);
    running ??= runAll();
  };
  return {
    offer(view, request, context, live) {
      if (!isOfReader(request) || live.degradations.length > 0) return;
      const { tenant } = context.principal;
      for (const { corpus: name, version: searched } of live.versions) {
        const corpus = view.corpora.get(name);
        const trial = corpus && trialOf(corpus);
        if (corpus === undefined || trial === undefined || Number(searched) !== corpus.live) continue;
        if (random() * 100 >= trial.shadowPercent) continue;
        const versions = [
          { $typeName: 'ragmesh.common.v1.CorpusVersion' as const, corpus: name, version: BigInt(trial.version) },
        ];
        const { corpusId } = corpus;
        add({ tenant, corpusId, version: trial.version, request: { ...request, versions }, context, live });
      }
    },
    flush,
    async idle() {
      await running;
    },
    async close() {
      closing.abort();
      waiting.length = 0;
      await running;
      clearTimeout(timer);
      for (const tenant of new Set([...unwritten.values()].map((one) => one.tenant))) await flush(tenant);
    },
  };
}

// Measurements have their own comparisons, and a search of the web costs money.
function isOfReader({ versions, trialVersions, without, waitForStages, useWeb }: RetrieveRequest): boolean {
  return versions.length + trialVersions.length + without.length === 0 && !waitForStages && !useWeb;
}

/** Returns the context of work for the same caller that outlives the call. */
function detached(context: CallContext, signal: AbortSignal): CallContext {
  const { method, principal, authorization } = context;
  return {
    ...{ method, principal, authorization, signal },
    ...{ requestHeader: new Headers(), responseHeader: new Headers(), responseTrailer: new Headers() },
    timeoutMs: () => timeoutMs,
    abort: () => {},
    onEnd: () => {},
    forward: (options = {}) => ({
      signal,
      timeoutMs: Math.min(timeoutMs, options.timeoutMs ?? timeoutMs),
      headers: { authorization },
    }),
  };
}
