import { Counter, Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { toOpenMetrics } from '#kit/host/metrics/open-metrics.ts';
import { backoffOf } from './keep.ts';
import type { MemberReport } from './messages.ts';
import { groupMetrics, groupReadiness, type NamedReport } from './report.ts';

const serving = (services: Record<string, string | undefined>): MemberReport => ({
  readiness: Object.entries(services).map(([service, notReady]) => ({ service, notReady, degraded: [] })),
  metrics: [],
});
const owner = (report: MemberReport | undefined): NamedReport => ({ role: 'owner', name: 'owner', report });
const worker = (number: number, report: MemberReport | undefined): NamedReport => ({
  ...{ role: 'worker', name: `worker ${number}`, report },
});
const missing = (members: NamedReport[]) =>
  groupReadiness(members).flatMap(({ service, notReady }) =>
    notReady === undefined ? [] : [`${service}: ${notReady}`],
  );

test('a group is ready while the owner and one worker serve, and says which worker is away', () => {
  const members = [owner(serving({ audit: undefined })), worker(1, serving({ edge: undefined })), worker(2, undefined)];
  expect(missing(members)).toEqual([]);
  expect(groupReadiness(members)[0]).toEqual({
    ...{ service: 'group', notReady: undefined, degraded: ['worker 2: not serving'] },
  });
});

test('a group is not ready without its owner, without workers, or if a service is served nowhere', () => {
  const audit = serving({ audit: undefined });
  expect(missing([owner(undefined), worker(1, serving({ edge: undefined }))])).toEqual(['group: owner: not serving']);
  expect(missing([owner(audit), worker(1, undefined)])).toContain('group: worker 1: not serving');
  const away = serving({ edge: 'owner: away' });
  expect(missing([owner(audit), worker(1, away), worker(2, away)])).toEqual(['edge: worker 1: owner: away']);
  expect(missing([owner(audit), worker(1, away), worker(2, serving({ edge: undefined }))])).toEqual([]);
});

test('metrics of members are summed, and gauges that say so are the largest', async () => {
  const report = async (count: number, lag: number): Promise<MemberReport> => {
    const registry = new Registry();
    const registers = [registry];
    new Counter({ name: 'calls_total', help: 'c', labelNames: ['code'], registers }).inc({ code: 'OK' }, count);
    new Gauge({ name: 'lag_seconds', help: 'l', aggregator: 'max', registers }).set(lag);
    return { readiness: [], metrics: await registry.getMetricsAsJSON() };
  };
  const members = [owner(await report(2, 0.1)), worker(1, await report(3, 0.4))];
  const registry = await groupMetrics(members, new Registry());
  for (const text of [await registry.metrics(), toOpenMetrics(await registry.getMetricsAsJSON())]) {
    expect(text).toContain('calls_total{code="OK"} 5');
    expect(text).toContain('lag_seconds 0.4');
  }
});

test('the wait before a restart doubles, up to ten seconds', () => {
  expect([0, 1, 2, 3].map(backoffOf)).toEqual([100, 200, 400, 800]);
  expect(backoffOf(1000)).toBe(10_000);
});
