import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { parseAllDocuments } from 'yaml';
import { root } from '../../tools.ts';
import { dashboards } from '../dashboards/grafana.ts';
import { allRules } from '../rules.ts';
import { type ParsedQuery, parseQuery } from './promql.ts';

/** Labels of each metric that a query may read. */
export type KnownSeries = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels that Prometheus adds to what it scrapes, and those that the scrape configurations of `deployments` add. */
const targetLabels = ['job', 'instance', 'region', 'pod'];

/**
 * Metrics of others, with the labels that their documentation lists: Istio's standard metrics
 * (istio.io/latest/docs/reference/config/metrics), and Prometheus's own.
 */
const foreign: Readonly<Record<string, readonly string[]>> = {
  up: [],
  istio_requests_total: [
    ...['reporter', 'source_workload', 'source_cluster', 'destination_workload', 'destination_cluster'],
    ...['response_code', 'response_flags', 'grpc_response_status', 'connection_security_policy'],
  ],
  istio_request_duration_milliseconds_bucket: ['reporter', 'source_workload', 'destination_workload', 'le'],
};

/** Every query of the rules and dashboards, with its place. */
export function allQueries(): { place: string; expr: string }[] {
  return [
    ...allRules().map((rule) => ({ place: 'record' in rule ? rule.record : rule.alert, expr: rule.expr })),
    ...dashboards.flatMap(({ title, panels }) =>
      panels.flatMap((panel) => panel.queries.map(({ expr }) => ({ place: `${title}: ${panel.title}`, expr }))),
    ),
  ];
}

/** Every query by which a rollout judges a new version, with its place. `hash`: that of the new version's pods. */
export function canaryQueries(hash: string): { place: string; expr: string }[] {
  return ['components', 'components-grouped'].flatMap((components) => {
    const path = join(root, 'deployments/kubernetes', components, 'canary/rollout.yaml');
    if (!existsSync(path)) return [];
    const objects = parseAllDocuments(readFileSync(path, 'utf8')).map((document) => document.toJS() as Template);
    return objects
      .filter(({ kind }) => kind === 'AnalysisTemplate')
      .flatMap(({ metadata, spec: { metrics } }) =>
        metrics.map(({ name, provider }) => ({
          place: `${components}, ${metadata.name}: ${name}`,
          expr: provider.prometheus.query.replaceAll('{{args.hash}}', hash),
        })),
      );
  });
}

/** The questions of a rollout to Prometheus, as far as they are read here. */
interface Template {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly metrics: { name: string; provider: { prometheus: { query: string } } }[] };
}

/**
 * Returns what can be read: the metrics on a scraped page, with the labels of the registry that wrote it (a page shows none for a metric
 * without a sample), what the rules record, and metrics of others.
 */
export function knownSeries(page: string, registry: Registry): KnownSeries {
  const known = new Map<string, Set<string>>();
  const add = (name: string, labels: Iterable<string>) => {
    known.set(name, new Set([...(known.get(name) ?? []), ...labels, ...targetLabels]));
  };
  for (const [, name = '', type = ''] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const { labelNames = [] } = (registry.getSingleMetric(name) ?? {}) as { labelNames?: string[] };
    if (type !== 'histogram') add(name, labelNames);
    else {
      add(`${name}_bucket`, [...labelNames, 'le']);
      for (const part of ['sum', 'count']) add(`${name}_${part}`, labelNames);
    }
  }
  for (const [name, labels] of Object.entries(foreign)) add(name, labels);
  for (const rule of allRules()) {
    if ('record' in rule) add(rule.record, [...Object.keys(rule.labels ?? {}), ...parseQuery(rule.expr).grouping]);
  }
  return known;
}

/** Returns what of a query cannot be: metrics that no one exports, and labels that a metric does not have. */
export function problemsOf({ selectors, grouping }: ParsedQuery, known: KnownSeries): string[] {
  const unknown = selectors.filter(({ metric }) => !known.has(metric)).map(({ metric }) => `no metric ${metric}`);
  const wrongLabels = selectors.flatMap(({ metric, matchers }) => {
    const labels = known.get(metric);
    return labels === undefined
      ? []
      : matchers.filter(([label]) => !labels.has(label)).map(([label]) => `${metric} has no label ${label}`);
  });
  const labelsOfAll = new Set(selectors.flatMap(({ metric }) => [...(known.get(metric) ?? [])]));
  const wrongGroups = grouping
    .filter((label) => !labelsOfAll.has(label))
    .map((label) => `nothing has the label ${label}`);
  return [...unknown, ...wrongLabels, ...wrongGroups];
}
