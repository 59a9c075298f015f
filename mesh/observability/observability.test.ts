import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { infrastructureCodes } from '#kit/base/metrics/metrics.ts';
import { registerTelemetryMetrics } from '#kit/host/telemetry/telemetry.ts';
import { askWhole, startWholeMesh, type WholeMesh } from '../e2e/testing/whole-mesh.ts';
import { root } from '../tools.ts';
import { failedCodes, firstTokenMs, retrievalMs } from './objectives.ts';
import { allRules } from './rules.ts';
import { allQueries, canaryQueries, type KnownSeries, knownSeries, problemsOf } from './testing/known-series.ts';
import { parseQuery } from './testing/promql.ts';

const read = (path: string) => readFileSync(join(root, 'deployments/observability', path), 'utf8');
const alerts = [...new Set(allRules().flatMap((rule) => ('alert' in rule ? [rule.alert] : [])))];

let mesh: WholeMesh;
let page: string;
let known: KnownSeries;

beforeAll(async () => {
  mesh = await startWholeMesh();
  registerTelemetryMetrics(mesh.host.metrics.registry, { lostSpanCount: () => 0 });
  const options = await mesh.as();
  for (let count = 0; count < 2; count++)
    await askWhole(mesh.client(ChatService), { question: 'Are swatches free?' }, options);
  page = await (await fetch(`http://127.0.0.1:${mesh.host.adminPort}/metrics`)).text();
  known = knownSeries(page, mesh.host.metrics.registry);
});
afterAll(() => mesh.close());

describe('queries of the rules, the dashboards and the rollout', () => {
  test('there is a rollout', () => {
    expect(canaryQueries('6d4f').map(({ place }) => place)).toContain('components, chat-canary: grpc-status');
  });

  test.each([...allQueries(), ...canaryQueries('6d4f')])('$place reads what the services export', ({ expr }) => {
    expect(problemsOf(parseQuery(expr), known), expr).toEqual([]);
  });

  test('a query with a metric, a label or a group that does not exist is found', () => {
    const problems = (expr: string) => problemsOf(parseQuery(expr), known);
    expect(problems('rate(ai_request_sum_total[5m])')).toEqual(['no metric ai_request_sum_total']);
    expect(problems('ai_request_total{tenent="a"}')).toEqual(['ai_request_total has no label tenent']);
    expect(problems('sum by (modle) (ai_request_total)')).toEqual(['nothing has the label modle']);
    expect(() => parseQuery('sum by (model (ai_request_total)')).toThrow('not PromQL at');
  });
});

test('the bounds of the objectives are bounds of buckets, so that the share within them is exact', () => {
  expect(page).toMatch(new RegExp(`^ai_first_token_ms_bucket\\{le="${firstTokenMs}",`, 'm'));
  expect(page).toMatch(new RegExp(`^ai_retrieval_latency_ms_bucket\\{le="${retrievalMs}",`, 'm'));
});

test('what counts as a failure is the same in the kit and in the rules', () => {
  expect(failedCodes.split('|')).toEqual(infrastructureCodes);
});

test('each alert has a runbook, and each runbook an alert', () => {
  const sections = [...read('RUNBOOKS.md').matchAll(/^## (\S+)$/gm)].map(([, name]) => name);
  expect(sections.sort()).toEqual([...alerts].sort());
});

test('each alert is in a case of the tests of the rules', () => {
  const cases = `${read('rules.test.yaml')}${read('rules-days.test.yaml')}`;
  expect(alerts.filter((alert) => !cases.includes(`alertname="${alert}"`))).toEqual([]);
});

test('every severity has a receiver, and every objective alerts a person and a queue of tickets', () => {
  const { route } = parse(read('alertmanager.yaml')) as { route: { routes: { matchers: string[] }[] } };
  const routed = route.routes.flatMap(({ matchers }) => matchers);
  for (const severity of ['page', 'ticket']) expect(routed).toContain(`severity="${severity}"`);
  for (const alert of [
    'RagmeshAvailabilityBurn',
    'RagmeshFirstTokenBurn',
    'RagmeshRetrievalLatencyBurn',
    'RagmeshBacklogBurn',
    'RagmeshCostBurn',
  ]) {
    const severities = allRules().flatMap((rule) =>
      'alert' in rule && rule.alert === alert ? [rule.labels.severity] : [],
    );
    expect(severities, alert).toEqual(['page', 'page', 'ticket', 'ticket']);
  }
});
