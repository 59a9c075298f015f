import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { registerTelemetryMetrics, startTelemetry } from '#kit/host/telemetry/telemetry.ts';
import { hasCommand, skipped, startTestServer } from '#kit/testing/server.ts';
import { startWholeMesh } from '../e2e/testing/whole-mesh.ts';
import { root } from '../tools.ts';
import { allRules } from './rules.ts';
import { allQueries, canaryQueries } from './testing/known-series.ts';

const folder = join(root, 'deployments/observability');
const advice = 'apt-get install prometheus promtool';
const hasPromtool = hasCommand('promtool');
const hasPrometheus = hasCommand('prometheus');

describe.skipIf(!hasPromtool && skipped('promtool', 3, advice))('promtool', () => {
  const run = (...args: string[]) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });

  test('accepts the rules', () => {
    expect(run('check', 'rules', 'rules.yaml')).toContain(`${allRules().length} rules found`);
  });

  test.each(['rules.test.yaml', 'rules-days.test.yaml'])('every alert does what %s says', (file) => {
    expect(run('test', 'rules', file)).toContain('SUCCESS');
  });
});

/** Queries that have no series without a provider with prices, another process, an evaluation run or a mesh of sidecars around. */
const mayBeEmpty =
  /istio_|[_:]cost|rpc_client|evaluation_score|fallback|hedge|limit_refused|semantic_refused|code=~|:slo_|histogram_quantile/;

describe.skipIf(!hasPrometheus && skipped('prometheus', 1, advice))('Prometheus', () => {
  test('scrapes real services, evaluates every rule and answers every query of the dashboards', async () => {
    const telemetry = startTelemetry(undefined, 'test', { exporter: new InMemorySpanExporter() });
    await using mesh = await startWholeMesh({ tracing: true });
    registerTelemetryMetrics(mesh.host.metrics.registry, { lostSpanCount: () => 0 });
    await using prometheus = await startTestServer({
      command: 'prometheus',
      args(port, at) {
        const file = join(at, 'prometheus.yaml');
        const rules = join(at, 'rules.yaml');
        // Every group immediately, and not at its own interval of minutes.
        writeFileSync(
          rules,
          readFileSync(join(folder, 'rules.yaml'), 'utf8').replaceAll(/interval: \w+/g, 'interval: 1s'),
        );
        const scrape = {
          job_name: 'ragmesh',
          static_configs: [
            { targets: [`127.0.0.1:${mesh.host.adminPort}`], labels: { region: 'cn', pod: 'chat-6d4f-1' } },
          ],
        };
        const global = { scrape_interval: '1s', evaluation_interval: '1s' };
        writeFileSync(file, stringify({ global, rule_files: [rules], scrape_configs: [scrape] }));
        return [
          `--config.file=${file}`,
          `--storage.tsdb.path=${join(at, 'data')}`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--enable-feature=exemplar-storage',
        ];
      },
      isReady: async (port) => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
    });
    const api = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${prometheus.port}/api/v1/${path}`);
      return (await response.json()) as {
        status: string;
        error?: string;
        data: { result: unknown[] } & Record<string, unknown>;
      };
    };
    const query = (expr: string) =>
      api(`query?query=${encodeURIComponent(expr.replaceAll('$__rate_interval', '1m').replaceAll('$region', '.*'))}`);
    const ask = async () => {
      const headers = { authorization: `Bearer ${mesh.devKey}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ query: 'Are swatches free?' });
      await (await fetch(`${mesh.edgeUrl}/v1/chat/stream`, { method: 'POST', headers, body })).text();
    };
    // A rate needs a sample before the request that it counts.
    await ask();
    const increased = async () =>
      (await query('sum(increase(ai_first_token_ms_count[1m])) > 0')).data.result.length > 0;
    await expect.poll(async () => ask().then(increased), { timeout: 60_000, interval: 500 }).toBe(true);

    // Prometheus asks for OpenMetrics, so it has the traces behind the buckets.
    const now = Date.now() / 1000;
    const exemplars = await api(`query_exemplars?query=ai_first_token_ms_bucket&start=${now - 600}&end=${now}`);
    expect(JSON.stringify(exemplars.data)).toMatch(/"trace_id":"[0-9a-f]{32}"/);

    const failures: string[] = [];
    for (const { place, expr } of allQueries()) {
      const { status, error, data } = await query(expr);
      if (status !== 'success') failures.push(`${place}: ${error}`);
      else if (data.result.length === 0 && place.includes(':') && place.includes('/') && !mayBeEmpty.test(expr))
        failures.push(`${place}: no series`);
    }
    for (const { place, expr } of canaryQueries('6d4f')) {
      const { status, error, data } = await query(expr);
      const [sample] = (data?.result ?? []) as readonly { value: readonly [number, string] }[];
      if (status !== 'success' || !Number.isFinite(Number(sample?.value[1])))
        failures.push(`${place}: ${error ?? 'no value'}`);
    }
    expect(failures).toEqual([]);

    const { data } = await api('rules');
    const groups = data.groups as { rules: { name: string; health: string; lastError?: string }[] }[];
    await expect
      .poll(
        async () => {
          const now = (await api('rules')).data.groups as typeof groups;
          return now.flatMap(({ rules }) => rules).filter(({ health }) => health !== 'ok');
        },
        { timeout: 150_000 },
      )
      .toEqual([]);
    expect(groups.flatMap(({ rules }) => rules)).toHaveLength(allRules().length);
    await telemetry.close();
  }, 300_000);
});
