import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Registry } from 'prom-client';
import { createLabelLimit } from './label-limit.ts';
import { createTracedHistogram } from './traced-histogram.ts';

/**
 * Bounds of the buckets of latency histograms, in milliseconds. The thresholds of the service level objectives are among them, so that
 * the share of requests within an objective is exact (`mesh/observability/objectives.ts`).
 */
export const latencyBuckets = [1, 2, 5, 10, 15, 25, 50, 100, 250, 500, 800, 1500, 3000, 10_000, 60_000];

/** Tenants with a label of their own, if the configuration names none. */
const maxTenantLabels = 20;
/** Names of models with a label of their own: providers may answer with any name. */
const maxModelLabels = 200;

/** Codes that count against availability, in the order of {@link Metrics} `rpcTotal`: ours or the infrastructure's, never the caller's. */
export const infrastructureCodes = ['Unavailable', 'DeadlineExceeded', 'Internal', 'Unknown', 'DataLoss'] as const;

/** Streams in flight, by contract. */
export type OpenStreams = ReadonlyMap<string, number>;

/**
 * Creates the metrics that every process has. `metricTenants`: tenants with a label of their own; default: the first few that are seen. A service registers its own in the same registry (`metrics.ts` in its folder). Names and
 * labels are fixed: dashboards and alerts of users depend on them. Histograms are in milliseconds.
 */
export function createMetrics(metricTenants: readonly string[] = []) {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  let countCalls = () => 0;
  let countStreams = (): OpenStreams => new Map();
  new Gauge({
    name: 'ragmesh_calls_open',
    help: 'Calls in flight',
    registers,
    collect() {
      this.set(countCalls());
    },
  });
  new Gauge({
    name: 'ragmesh_streams_open',
    help: 'Streaming calls in flight',
    labelNames: ['service'],
    registers,
    collect() {
      for (const [service, count] of countStreams()) this.set({ service }, count);
    },
  });
  return {
    registry,
    /** Returns the label of a tenant. */
    tenantLabel: createLabelLimit(maxTenantLabels, metricTenants),
    /** Returns the label of a model. */
    modelLabel: createLabelLimit(maxModelLabels),
    /** Sets the functions that count the calls in flight, and the streams among them. */
    countCallsWith(calls: () => number, streams: () => OpenStreams) {
      countCalls = calls;
      countStreams = streams;
    },
    degradationTotal: new Counter({
      name: 'ragmesh_degradation_total',
      help: 'Stages that failed or were late, and were skipped',
      labelNames: ['stage'],
      registers,
    }),
    rpcTotal: new Counter({
      name: 'ragmesh_rpc_total',
      help: 'Calls served',
      labelNames: ['service', 'method', 'code'],
      registers,
    }),
    rpcMs: createTracedHistogram(registry, {
      name: 'ragmesh_rpc_ms',
      help: 'Time of a served call, to its end',
      labelNames: ['service'],
      buckets: latencyBuckets,
    }),
    breakerState: new Gauge({
      name: 'ragmesh_breaker_state',
      help: 'Circuit of a dependency: 0 closed, 1 a probe is in flight, 2 open',
      labelNames: ['dependency'],
      aggregator: 'max',
      registers,
    }),
    clientTotal: new Counter({
      name: 'ragmesh_rpc_client_total',
      help: 'Calls to other processes, by the code that their caller got',
      labelNames: ['service', 'method', 'code'],
      registers,
    }),
  };
}

/** The metrics of a process. */
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Registers metrics of the process itself, read when they are scraped. prom-client's own default set also observes every garbage
 * collection: work at the busiest moments, for figures that no dashboard here uses.
 */
function registerProcessMetrics(registry: Registry): void {
  const registers = [registry];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time used, user and system',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory held in RAM',
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    name: 'nodejs_heap_size_used_bytes',
    help: 'JavaScript heap in use',
    registers,
    collect() {
      this.set(process.memoryUsage().heapUsed);
    },
  });
  new Gauge({
    name: 'nodejs_eventloop_lag_p99_seconds',
    help: '99th percentile of the event loop delay since the last scrape',
    aggregator: 'max',
    registers,
    collect() {
      this.set(delay.percentile(99) / 1e9);
      delay.reset();
    },
  });
}
