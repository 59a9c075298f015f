import type { Capacity } from './capacity.ts';
import type { Costs, Topology } from './costs.ts';
import { assumptions, type Day } from './simulate.ts';
import type { Workload } from './workload.ts';

/** Returns a plan as text: bottlenecks first. */
export function describePlan(
  topology: Topology,
  workload: Workload,
  costs: Costs,
  capacity: Capacity,
  days: readonly Day[],
): string {
  return [
    heading(topology, workload),
    bottlenecks(workload, capacity),
    pools(workload, capacity),
    engines(capacity),
    provider(workload, capacity),
    ...(days.length > 0 ? [simulated(days, workload)] : []),
    sources(costs, days.length > 0),
  ].join('\n');
}

function heading(
  topology: Topology,
  { peakPerSecond, perDay, hitRate, regionCount, survivesRegion }: Workload,
): string {
  const reserve = survivesRegion ? 'each region can take over the load of a lost one' : 'no reserve for a lost region';
  return `${number(peakPerSecond)} requests/s at the peak, ${number(perDay)} a day, ${percent(hitRate)} from the cache; ${regionCount} region${regionCount === 1 ? '' : 's'} (${topology}), ${reserve}\n`;
}

/** The resources of the plan, the largest first: what to look at before anything else. */
function bottlenecks(workload: Workload, capacity: Capacity): string {
  const { provider, postgres, redis } = capacity;
  const busiest = [...capacity.pools].sort((a, b) => b.peakCores - a.peakCores)[0];
  const rows: [number, string][] = [
    [
      postgres.cores,
      `PostgreSQL: ${number(postgres.transactionsPerSecond)} transactions/s, ${cores(postgres.cores)} on one primary in each region: it grows only upwards`,
    ],
    [
      redis.cores,
      `Redis: ${number(redis.commandsPerSecond)} commands/s, ${cores(redis.cores)}: one server runs its commands on one core${redis.cores > 0.7 ? '; use a cluster' : ''}`,
    ],
    [
      (busiest?.peakCores ?? 0) / 10,
      `${busiest?.name}: ${cores(busiest?.peakCores ?? 0)} in each region, the most of all processes`,
    ],
    [
      provider.concurrent / 100,
      `the model: ${number(provider.concurrent)} completions run concurrently (${number(provider.completionTokensPerSecond)} tokens/s written, ${number(provider.promptTokensPerSecond)} read); the plan has ${number(workload.provider.maxConcurrent)}`,
    ],
  ];
  const sorted = rows.sort(([a], [b]) => b - a).map(([, text], at) => `  ${at + 1}. ${text}`);
  return `Bottlenecks\n${sorted.join('\n')}\n`;
}

function pools({ regionCount, coresPerReplica }: Workload, { pools: all, regionPeakPerSecond }: Capacity): string {
  const rows = all.map(({ name, cpuMs, peakCores, replicas, memoryMb }) => [
    name,
    cpuMs.cached.toFixed(2),
    cpuMs.generated.toFixed(2),
    peakCores.toFixed(1),
    String(replicas),
    number(replicas * coresPerReplica),
    `${number((replicas * memoryMb) / 1024)} GiB`,
  ]);
  const sum = (of: (pool: Capacity['pools'][number]) => number) => all.reduce((total, pool) => total + of(pool), 0);
  const replicaCount = sum(({ replicas }) => replicas);
  const memory = sum(({ replicas, memoryMb }) => replicas * memoryMb) / 1024;
  const total = `  in all regions: ${number(replicaCount * regionCount)} replicas, ${number(replicaCount * regionCount * coresPerReplica)} cores, ${number(memory * regionCount)} GiB\n`;
  const head = ['process', 'ms a cached', 'ms a generated', 'cores used', 'replicas', 'cores', 'memory'];
  return `Replicas in each region, for ${number(regionPeakPerSecond)} requests/s\n${table([head, ...rows])}${total}`;
}

function engines({ postgres, redis }: Capacity): string {
  const rows = [
    ['engine', 'load', 'cores used'],
    ['PostgreSQL', `${number(postgres.transactionsPerSecond)} transactions/s`, postgres.cores.toFixed(1)],
    ['Redis', `${number(redis.commandsPerSecond)} commands/s`, redis.cores.toFixed(1)],
  ];
  return `Engines in each region\n${table(rows)}`;
}

function provider({ provider: settings }: Workload, { provider: need }: Capacity): string {
  return `The model, all regions
  ${number(need.concurrent)} completions at one time; ${number(need.promptTokensPerSecond)} tokens/s of prompts and ${number(need.completionTokensPerSecond)} of completions at the peak
  ${number(need.pricePerDay)} a day at ${settings.promptPrice} and ${settings.completionPrice} for a million tokens\n`;
}

function simulated(days: readonly Day[], { firstTextMs }: Workload): string {
  const head = ['day', 'p50', 'p99', 'p99 of the worst hour', 'refused', 'quoted', 'recovered after'];
  const rows = days.map((day) => [
    day.scenario.name,
    ms(day.p50Ms),
    ms(day.p99Ms),
    ms(day.worstHourP99Ms),
    percent(day.refusedShare),
    percent(day.quotedShare),
    recovery(day),
  ]);
  return `Simulated days: time to the first text\n${table([head, ...rows])}  within bounds: p99 ≤ ${number(firstTextMs)} ms, ≤ 0.1 % refused, ≤ 1 % quoted because the model had no room; "recovered" counts from the beginning of the fault\n`;
}

function recovery({ recoverySeconds, scenario }: Day): string {
  if (recoverySeconds === 0) return scenario.fault === 'none' ? '' : 'never left the bounds';
  return `${number(recoverySeconds / 60)} min`;
}

function sources({ measured }: Costs, isSimulated: boolean): string {
  const { on, node, cpu, cores: count, callers } = measured;
  const assumed = [
    'the hit rate, the tokens, the speed and the prices of the model are inputs',
    'costs of a larger corpus, longer answers and other stores differ: measure with yours',
  ];
  if (isSimulated) {
    assumed.push(
      `the shape of the day (two humps), a lost region noticed after ${assumptions.detectSeconds} s, a cold cache that wins back 63 % of its hits in ${assumptions.cacheWarmSeconds} s, replicas that serve ${assumptions.replicaStartSeconds} s after the decision`,
    );
  }
  return `Measured: CPU, memory, transactions, commands, idle times (npm run bench -- capacity, ${on}: ${count} × ${cpu}, Node ${node}, ${callers} callers)\nAssumed: ${assumed.join('; ')}\n`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ');
  return rows.map((row) => `  ${line(row).trimEnd()}\n`).join('');
}

const number = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
const cores = (value: number): string => `${value.toFixed(1)} cores`;
const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.01 ? 2 : 1)} %`;
const ms = (value: number): string => (Number.isNaN(value) ? '–' : `${number(value)} ms`);
