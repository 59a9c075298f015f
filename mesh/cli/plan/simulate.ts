import { type Autoscaler, createAutoscaler } from './autoscaler.ts';
import { type Capacity, completionSeconds, type Pool } from './capacity.ts';
import type { Costs, Kind, Topology } from './costs.ts';
import { createHistogram, type Histogram } from './histogram.ts';
import { dayCurve, daySeconds, peakSecond, type Workload } from './workload.ts';

// A day of a mesh, second by second. In each second every pool of replicas serves what it can, and the rest waits for the next one. A
// replica is a processor that its requests share (M/M/1-PS: Kleinrock, Queueing Systems II, 4.4): a request that needs s of CPU takes
// s / (1 - utilization) on average. Times of single requests are drawn from these averages.

/** What goes wrong on a day, from the peak on. */
export interface Scenario {
  name: string;
  /** How long it lasts, in seconds; 0: it is an event. */
  seconds: number;
  fault: 'none' | 'region lost' | 'provider slow' | 'cache flushed';
}

/** The days that a plan shows. */
export const scenarios: readonly Scenario[] = [
  { name: 'a normal day', fault: 'none', seconds: 0 },
  { name: 'a region lost at the peak, for 30 minutes', fault: 'region lost', seconds: 1800 },
  { name: 'the provider 3 times slower at the peak, for 15 minutes', fault: 'provider slow', seconds: 900 },
  { name: 'the cache flushed at the peak', fault: 'cache flushed', seconds: 0 },
];

/** What the simulation assumes beside the workload. These are not measured. */
export const assumptions = {
  /** Time until callers of a lost region are sent to another one. */
  detectSeconds: 10,
  /** Time in which a cold cache wins back 63 % of its hits. */
  cacheWarmSeconds: 300,
  /** Time from the decision to a replica that serves: scheduling, image, start. */
  replicaStartSeconds: 30,
  /** Longest queue of a pool, as the time that it takes to serve it; more is refused. */
  queueSeconds: 1,
  providerSlowdown: 3,
  /** Replicas that a pool may have, as a multiple of the planned ones. */
  maxGrowth: 1.5,
} as const;

/** How a day went. */
export interface Day {
  scenario: Scenario;
  requestCount: number;
  /** Time to the first text, in milliseconds. */
  p50Ms: number;
  p99Ms: number;
  /** The same in the hour after the fault began; of a normal day, in the hour of the peak. */
  worstHourP99Ms: number;
  /** Share of requests that were refused, 0 to 1. */
  refusedShare: number;
  /** Share of requests that were answered by quotation, because the provider had no room, 0 to 1. */
  quotedShare: number;
  /** Seconds from the beginning of the fault until first text and refusals were within bounds again; 0: they never left them. */
  recoverySeconds: number;
  /** Most replicas that ran at one time, over all regions, by pool. */
  mostReplicas: Record<string, number>;
}

interface Region {
  pools: { pool: Pool; scaler: Autoscaler; backlogMs: number }[];
  /** Share of the usual hits that its cache has now, 0 to 1. */
  warmth: number;
}

interface Minute {
  times: Histogram;
  requests: number;
  refused: number;
  quoted: number;
}

/** Bounds of a minute in which all is well. */
const mostRefused = 0.001;
const mostQuoted = 0.01;
/** Requests that are drawn for each second, region and kind. */
const drawsPerSecond = 3;

/** What is simulated. */
export interface Simulated {
  workload: Workload;
  costs: Costs;
  topology: Topology;
  capacity: Capacity;
}

/** Simulates a day. `random`: numbers from 0 up to 1; a seeded source makes the day repeatable. */
export function simulateDay(simulated: Simulated, scenario: Scenario, random: () => number): Day {
  const { workload, capacity } = simulated;
  const curve = dayCurve(workload);
  const regions = Array.from({ length: workload.regionCount }, () => createRegion(workload, capacity, curve[0] ?? 0));
  const minutes: Minute[] = [];
  const mostReplicas: Record<string, number> = {};
  const fixedMs = fixedTimes(simulated);
  for (let second = 0; second < daySeconds; second++) {
    if (second % 60 === 0) minutes.push({ times: createHistogram(), requests: 0, refused: 0, quoted: 0 });
    const minute = minutes.at(-1) as Minute;
    if (second === peakSecond) begin(scenario, regions);
    const total = poisson(curve[second] as number, random);
    const { alive, served, slowdown } = spread(scenario, regions, second - peakSecond, total);
    minute.requests += total;
    minute.refused += total - served;
    const offered = { perSecond: served / alive.length, slowdown, regionCount: alive.length };
    for (const region of alive) serveSecond(region, offered, { workload, fixedMs, minute, random });
    for (const { name } of capacity.pools) {
      const count = alive.reduce((sum, { pools }) => sum + readyOf(pools, name), 0);
      mostReplicas[name] = Math.max(mostReplicas[name] ?? 0, count);
    }
  }
  return summarize(scenario, minutes, workload, mostReplicas);
}

/** Returns which regions serve in a second, how many of its requests reach one, and how slow the provider is. */
function spread({ fault, seconds }: Scenario, regions: readonly Region[], sinceFault: number, total: number) {
  const isFault = sinceFault >= 0 && sinceFault < seconds;
  const slowdown = isFault && fault === 'provider slow' ? assumptions.providerSlowdown : 1;
  const [lost, ...others] = regions;
  if (!isFault || fault !== 'region lost' || lost === undefined) return { alive: regions, served: total, slowdown };
  const isMoved = sinceFault >= assumptions.detectSeconds;
  return { alive: others, served: isMoved ? total : (total * others.length) / regions.length, slowdown };
}

const readyOf = (pools: Region['pools'], name: string): number =>
  pools.find(({ pool }) => pool.name === name)?.scaler.ready ?? 0;

function createRegion(workload: Workload, capacity: Capacity, firstPerSecond: number): Region {
  const share = firstPerSecond / workload.regionCount / capacity.regionPeakPerSecond;
  return {
    warmth: 1,
    pools: capacity.pools.map((pool) => {
      const policy = {
        min: Math.min(2, pool.replicas),
        max: Math.ceil(pool.replicas * assumptions.maxGrowth),
        target: workload.targetUtilization,
        startSeconds: assumptions.replicaStartSeconds,
      };
      return { pool, scaler: createAutoscaler(policy, Math.ceil(pool.replicas * share)), backlogMs: 0 };
    }),
  };
}

/** Applies what a fault changes immediately. */
function begin({ fault }: Scenario, regions: readonly Region[]): void {
  if (fault === 'cache flushed') for (const region of regions) region.warmth = 0;
  if (fault !== 'region lost') return;
  const [lost, ...others] = regions;
  // Its replicas return as they were, its cache is empty.
  if (lost !== undefined) lost.warmth = 0;
  // A cache is regional: what the moved callers ask is new to it.
  for (const region of others) region.warmth *= others.length / regions.length;
}

/** Times of a request that do not depend on the load: what an idle mesh takes beyond its CPU. */
function fixedTimes({ costs, topology, capacity }: Simulated): Record<Kind, number> {
  const of = (kind: Kind) => {
    const cpuMs = capacity.pools.reduce((sum, pool) => sum + pool.cpuMs[kind], 0);
    return Math.max(0, (costs.first_text_ms[topology][kind] ?? 0) - cpuMs);
  };
  return { cached: of('cached'), generated: of('generated') };
}

interface Surroundings {
  workload: Workload;
  fixedMs: Record<Kind, number>;
  minute: Minute;
  random: () => number;
}

function serveSecond(
  region: Region,
  { perSecond, slowdown, regionCount }: { perSecond: number; slowdown: number; regionCount: number },
  { workload, fixedMs, minute, random }: Surroundings,
): void {
  region.warmth += (1 - region.warmth) / assumptions.cacheWarmSeconds;
  const hitRate = workload.hitRate * region.warmth;
  const counts: Record<Kind, number> = { cached: perSecond * hitRate, generated: perSecond * (1 - hitRate) };
  let servedShare = 1;
  const waits = region.pools.map((entry) => {
    const { pool, scaler } = entry;
    const capacityMs = scaler.ready * workload.coresPerReplica * 1000;
    const newMs = counts.cached * pool.cpuMs.cached + counts.generated * pool.cpuMs.generated;
    const left = Math.max(0, entry.backlogMs + newMs - capacityMs);
    const kept = Math.min(left, capacityMs * assumptions.queueSeconds);
    if (newMs > 0) servedShare = Math.min(servedShare, 1 - (left - kept) / Math.max(newMs, left - kept));
    scaler.second((entry.backlogMs + newMs) / capacityMs);
    entry.backlogMs = kept;
    return { pool, waitMs: (kept / capacityMs) * 1000, utilization: Math.min(0.98, newMs / capacityMs) };
  });
  minute.refused += perSecond * (1 - servedShare);

  // Completions beyond what the provider runs concurrently are answered by quotation.
  const room = workload.provider.maxConcurrent / regionCount / (completionSeconds(workload) * slowdown);
  const written = Math.min(counts.generated * servedShare, room);
  minute.quoted += counts.generated * servedShare - written;
  const draw = (kind: Kind, count: number, providerMs: () => number) => {
    for (let at = 0; at < drawsPerSecond && count > 0; at++) {
      let ms = fixedMs[kind] + providerMs();
      for (const { pool, waitMs, utilization } of waits) {
        const cpuMs = pool.cpuMs[kind];
        if (cpuMs > 0) ms += waitMs + exponential(random) * (cpuMs / (1 - utilization));
      }
      minute.times.add(ms, count / drawsPerSecond);
    }
  };
  const { firstTokenMs, spread } = workload.provider;
  draw('cached', counts.cached * servedShare, () => 0);
  draw('generated', written, () => firstTokenMs * slowdown * Math.exp(spread * normal(random)));
  draw('generated', counts.generated * servedShare - written, () => 0);
}

function summarize(
  scenario: Scenario,
  minutes: readonly Minute[],
  workload: Workload,
  mostReplicas: Day['mostReplicas'],
): Day {
  const first = Math.floor(peakSecond / 60);
  const hour = scenario.fault === 'none' ? minutes.slice(first - 30, first + 30) : minutes.slice(first, first + 60);
  const all = merged(minutes);
  const sum = (of: (minute: Minute) => number) => minutes.reduce((total, minute) => total + of(minute), 0);
  const requestCount = sum(({ requests }) => requests);
  const isBad = ({ times, requests, refused, quoted }: Minute) =>
    times.percentile(0.99) > workload.firstTextMs || refused > requests * mostRefused || quoted > requests * mostQuoted;
  const lastBad = minutes.findLastIndex((minute, at) => at >= first && isBad(minute));
  return {
    scenario,
    requestCount,
    p50Ms: all.percentile(0.5),
    p99Ms: all.percentile(0.99),
    worstHourP99Ms: merged(hour).percentile(0.99),
    refusedShare: sum(({ refused }) => refused) / requestCount,
    quotedShare: sum(({ quoted }) => quoted) / requestCount,
    recoverySeconds: lastBad === -1 ? 0 : (lastBad - first + 1) * 60,
    mostReplicas,
  };
}

function merged(minutes: readonly Minute[]): Histogram {
  const all = createHistogram();
  for (const { times } of minutes) all.merge(times);
  return all;
}

const exponential = (random: () => number): number => -Math.log(1 - random());

/** A normal number by Box and Muller. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** A count of arrivals with this mean; above 50 by the normal approximation. */
function poisson(mean: number, random: () => number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  let count = 0;
  for (let product = random(); product > Math.exp(-mean); product *= random()) count++;
  return count;
}
