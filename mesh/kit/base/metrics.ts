import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Bounds of the buckets of latency histograms, in milliseconds. */
export const latencyBuckets = [1, 2, 5, 10, 15, 25, 50, 100, 250, 500, 800, 1500, 3000, 10_000, 60_000];

/**
 * Creates the metrics that every process has. A service registers its own in the same registry (`metrics.ts` in its folder). Names and
 * labels are fixed: dashboards and alerts of users depend on them. Histograms are in milliseconds.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  registerProcessMetrics(registry);
  let countCalls = () => 0;
  new Gauge({
    name: 'ragmesh_calls_open',
    help: 'Calls in flight',
    registers,
    collect() {
      this.set(countCalls());
    },
  });
  return {
    registry,
    /** Sets the function that counts the calls in flight. */
    countCallsWith(count: () => number) {
      countCalls = count;
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
    rpcMs: new Histogram({
      name: 'ragmesh_rpc_ms',
      help: 'Time of a served call, to its end',
      labelNames: ['service'],
      buckets: latencyBuckets,
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
