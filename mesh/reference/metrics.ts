import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import { startHost } from '#kit/host/host.ts';
import { registerTelemetryMetrics } from '#kit/host/telemetry/telemetry.ts';
import { registerGroupMetrics } from '../group/group-metrics.ts';
import { services } from '../run.ts';

/** A metric of a running mesh. */
interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

/** Returns the reference of metrics as Markdown, read from a mesh that runs with all defaults. */
export async function renderMetrics(): Promise<string> {
  const rows = (await readMetrics()).filter(({ name }) => !name.startsWith('nodejs_') && !name.startsWith('process_'));
  return [
    '# Metrics',
    '',
    'Every process serves these at `/metrics` of its admin port (9464), in the format of Prometheus, or OpenMetrics for a client that',
    'accepts it, beside `process_*` and `nodejs_*`. In OpenMetrics the buckets of a process that samples traces have exemplars.',
    'The names and labels are part of the contract: dashboards and alerts depend on them. Times are milliseconds.',
    '',
    'This page is generated from a running mesh (`npm run reference:render`).',
    '',
    '| metric | type | labels | meaning |',
    '|---|---|---|---|',
    ...rows.map(({ name, type, labels, help }) => {
      const names = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${names} | ${help.replaceAll('|', '\\|')} |`;
    }),
    '',
  ].join('\n');
}

async function readMetrics(): Promise<MetricRow[]> {
  const dataDir = mkdtempSync(join(tmpdir(), 'ragmesh-reference-'));
  const onFreePort = { host: '127.0.0.1', port: 0 };
  const config = create(ConfigSchema, { dataDir, grpc: onFreePort, admin: onFreePort, edge: onFreePort });
  const host = await startHost({ services, known: services, config, env: {}, log: createLogger('error') });
  registerTelemetryMetrics(host.metrics.registry, { lostSpanCount: () => 0 });
  registerGroupMetrics(host.metrics.registry, () => []);
  try {
    // The registry keeps label names beside what it exports.
    const all = host.metrics.registry.getMetricsAsArray() as unknown as (MetricRow & { labelNames?: string[] })[];
    return all
      .map(({ name, help, type, labelNames = [] }) => ({ name, help, type, labels: labelNames }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } finally {
    await host.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}
