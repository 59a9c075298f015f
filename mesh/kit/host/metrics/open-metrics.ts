import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** The type of a page of metrics in the OpenMetrics format. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** A value as prom-client exports it; its own types leave the exemplar out. */
type Sample = MetricValue<string> & {
  metricName?: string;
  exemplar?: { labelSet: Record<string, string>; value: number; timestamp: number } | null;
};

/**
 * Writes metrics in the OpenMetrics format 1.0, with their exemplars. prom-client writes one format for the life of a registry: to change
 * it renames the counters.
 */
export function toOpenMetrics(metrics: readonly MetricObjectWithValues<MetricValue<string>>[]): string {
  const lines = metrics.flatMap(({ name, help, type, values }) => {
    const isCounter = String(type) === 'counter';
    const family = isCounter ? name.replace(/_total$/, '') : name;
    return [
      `# HELP ${family} ${escapeText(help)}`,
      `# TYPE ${family} ${type}`,
      ...(values as Sample[]).map(({ labels, value, metricName, exemplar }) => {
        const line = `${isCounter ? `${family}_total` : (metricName ?? family)}${labelsText(labels)} ${numberText(value)}`;
        if (!exemplar) return line;
        return `${line} # ${labelsText(exemplar.labelSet) || '{}'} ${numberText(exemplar.value)} ${exemplar.timestamp}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n# EOF\n`;
}

function labelsText(labels: Partial<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeText(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
