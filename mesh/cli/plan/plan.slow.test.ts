import { expect, test } from 'vitest';
import { seededRandom } from '#kit/statistics/bootstrap.ts';
import { createAutoscaler } from './autoscaler.ts';
import { planCapacity } from './capacity.ts';
import { type Costs, readCosts } from './costs.ts';
import { createHistogram } from './histogram.ts';
import { plan } from './plan.ts';
import { describePlan } from './report.ts';
import { type Scenario, scenarios, simulateDay } from './simulate.ts';
import { dayCurve, daySeconds, peakSecond, type Workload } from './workload.ts';

const workload: Workload = {
  peakPerSecond: 1000,
  perDay: 6e6,
  hitRate: 0.6,
  regionCount: 2,
  survivesRegion: true,
  firstTextMs: 800,
  targetUtilization: 0.6,
  coresPerReplica: 1,
  provider: {
    firstTokenMs: 300,
    spread: 0.3,
    tokensPerSecond: 50,
    promptTokens: 1000,
    completionTokens: 100,
    maxConcurrent: 2000,
    promptPrice: 1,
    completionPrice: 2,
  },
};

const costs: Costs = {
  measured: { on: '2026-12-01', node: 'v24', cpu: 'test', cores: 2, callers: 16 },
  topologies: {
    grouped: {
      online: { cpu_ms: { cached: 1, generated: 10 }, memory_mb: 512 },
      audit: { cpu_ms: { cached: 0.5, generated: 0.5 }, memory_mb: 256 },
    },
    services: {},
  },
  first_text_ms: { grouped: { cached: 3, generated: 15 }, services: { cached: 6, generated: 30 } },
  postgres: { transactions: { cached: 2, generated: 4 }, cpu_ms: { cached: 0.5, generated: 1 } },
  redis: { commands: { cached: 3, generated: 6 }, cpu_ms: { cached: 0.05, generated: 0.1 } },
};

const simulate = (fault: Scenario['fault'], changed: Partial<Workload> = {}, seed = 1) => {
  const all = { ...workload, ...changed };
  const scenario = scenarios.find((one) => one.fault === fault) as Scenario;
  const capacity = planCapacity(workload, costs, 'grouped');
  return simulateDay({ workload: all, costs, topology: 'grouped', capacity }, scenario, seededRandom(seed));
};

test('a region has room for its share of the peak, and for that of a lost region', () => {
  const { pools, regionPeakPerSecond, postgres, redis, provider } = planCapacity(workload, costs, 'grouped');
  expect(regionPeakPerSecond).toBe(1000);
  // 600 × 1 ms + 400 × 10 ms are 4.6 cores, at 60 % 7.7 replicas.
  expect(pools.map(({ name, replicas }) => [name, replicas])).toEqual([
    ['online', 8],
    ['audit', 2],
  ]);
  expect(postgres).toEqual({ transactionsPerSecond: 600 * 2 + 400 * 4, cores: (600 * 0.5 + 400) / 1000 });
  expect(redis.commandsPerSecond).toBe(600 * 3 + 400 * 6);
  expect(provider.completionTokensPerSecond).toBe(40_000);
  expect(provider.pricePerDay).toBeCloseTo((2.4e6 * (1000 + 200)) / 1e6);
  const half = planCapacity({ ...workload, survivesRegion: false }, costs, 'grouped');
  expect(half.pools[0]?.replicas).toBe(4);
});

test('a day has its peak and its number of requests, or the error says what it can have', () => {
  const curve = dayCurve(workload);
  expect(curve).toHaveLength(daySeconds);
  expect(curve[peakSecond]).toBeCloseTo(1000, 0);
  expect(Math.max(...curve)).toBeLessThanOrEqual(1000.001);
  expect(curve.reduce((sum, rate) => sum + rate, 0) / 6e6).toBeCloseTo(1, 3);
  expect(() => dayCurve({ peakPerSecond: 1, perDay: 1e9 })).toThrow(/it has [\d,]+ to [\d,]+/);
});

test('the same seed gives the same day', () => {
  expect(simulate('none')).toEqual(simulate('none'));
  expect(simulate('none', {}, 2)).not.toEqual(simulate('none'));
});

test('a planned day keeps its bounds, and each fault costs what it should', () => {
  const normal = simulate('none');
  expect(normal.p99Ms).toBeLessThan(800);
  expect(normal.p50Ms).toBeLessThan(100);
  expect(normal.refusedShare).toBe(0);
  const lost = simulate('region lost');
  // Ten seconds at 1,000/s, half of them in the lost region.
  expect(lost.refusedShare * lost.requestCount).toBeGreaterThan(4000);
  expect(lost.recoverySeconds).toBeGreaterThan(0);
  expect(lost.recoverySeconds).toBeLessThan(1800);
  const slow = simulate('provider slow');
  expect(slow.worstHourP99Ms).toBeGreaterThan(normal.worstHourP99Ms);
  expect(slow.recoverySeconds).toBeGreaterThanOrEqual(900);
  const flushed = simulate('cache flushed');
  expect(flushed.mostReplicas.online).toBeGreaterThan(normal.mostReplicas.online as number);
});

test('what is too much is refused, and what the model has no room for is quoted', () => {
  const over = simulate('none', { peakPerSecond: 10_000, perDay: 60e6 });
  expect(over.refusedShare).toBeGreaterThan(0.05);
  expect(over.quotedShare).toBeGreaterThan(0);
  const small = simulate('none', { provider: { ...workload.provider, maxConcurrent: 100 } });
  expect(small.quotedShare).toBeGreaterThan(0.1);
  expect(small.refusedShare).toBe(0);
});

test('a pool grows after the start of its replicas, and shrinks only after minutes', () => {
  const scaler = createAutoscaler({ min: 2, max: 20, target: 0.5, startSeconds: 30 }, 4);
  const pass = (seconds: number, utilization: number) => {
    for (let count = 0; count < seconds; count++) scaler.second(utilization);
  };
  pass(15, 0.5);
  expect(scaler.ready).toBe(4);
  pass(30, 1);
  expect(scaler.ready).toBe(4);
  pass(15, 1);
  expect(scaler.ready).toBe(8);
  pass(250, 0.1);
  expect(scaler.ready).toBeGreaterThanOrEqual(8);
  pass(900, 0.1);
  expect(scaler.ready).toBe(2);
});

test('percentiles are right within two in a hundred', () => {
  const histogram = createHistogram();
  for (let ms = 1; ms <= 10_000; ms++) histogram.add(ms, 1);
  for (const share of [0.01, 0.5, 0.99]) {
    expect(Math.abs(histogram.percentile(share) / (10_000 * share) - 1)).toBeLessThan(0.025);
  }
  expect(createHistogram().percentile(0.5)).toBeNaN();
});

test('the table of costs of this version gives a plan, bottlenecks first', () => {
  const own = readCosts();
  for (const topology of ['grouped', 'services'] as const) {
    const capacity = planCapacity(workload, own, topology);
    const text = describePlan(topology, workload, own, capacity, []);
    expect(text.indexOf('Bottlenecks')).toBeLessThan(text.indexOf('Replicas in each region'));
    expect(text).toContain('Measured: ');
    expect(text).toContain('Assumed: ');
  }
});

test('a flag out of range is refused with its range', async () => {
  const context = { args: ['--hit-rate', '2'], env: {} } as unknown as Parameters<typeof plan>[0];
  await expect(plan(context)).rejects.toThrow('--hit-rate is "2": allowed are numbers from 0 to 1');
});
