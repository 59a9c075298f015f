// Metrics in the text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats).

type Labels = Readonly<Record<string, string>>;

/** A value of a metric, with its labels. */
export interface Sample {
  name: string;
  labels: Labels;
  value: number;
}

/** Observations of a histogram. */
export interface Distribution {
  count: number;
  /** NaN without observations. */
  mean: number;
  /** Returns the bound of the bucket below which `share` of the observations are: Infinity above the last one, NaN without any. */
  quantile(share: number): number;
}

/** Metrics of a mesh, all processes together. */
export interface Metrics {
  /** Returns the sum of a metric, over all labels or those with these values. */
  sum(name: string, labels?: Labels): number;
  /** Returns the sums of a metric by one label. */
  by(name: string, label: string): Map<string, number>;
  /** Returns a histogram, of all labels or those with these values. */
  distribution(name: string, labels?: Labels): Distribution;
}

const linePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)(?:\s|$)/;
const labelPattern = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** Reads a page of metrics. Ignores comments and whatever else is no sample. */
export function readSamples(page: string): Sample[] {
  return page.split('\n').flatMap((line) => {
    const match = line.startsWith('#') ? null : linePattern.exec(line);
    const [, name = '', labelText = '', valueText = ''] = match ?? [];
    const value = Number(valueText === '+Inf' ? Number.POSITIVE_INFINITY : valueText);
    if (name === '' || Number.isNaN(value)) return [];
    const labels = [...labelText.matchAll(labelPattern)].map(([, key = '', text = '']) => [key, text] as const);
    return [{ name, labels: Object.fromEntries(labels), value }];
  });
}

/** Returns what has been counted between two readings of the same processes; a process that began again counts from its start. */
export function countedBetween(before: readonly Sample[], after: readonly Sample[]): Sample[] {
  const keyOf = ({ name, labels }: Sample) => JSON.stringify([name, Object.entries(labels).sort()]);
  const earlier = new Map(before.map((sample) => [keyOf(sample), sample.value]));
  return after.map((sample) => {
    const value = sample.value - (earlier.get(keyOf(sample)) ?? 0);
    return { ...sample, value: value < 0 ? sample.value : value };
  });
}

/** Makes samples searchable. */
export function createMetrics(samples: readonly Sample[]): Metrics {
  const byName = Map.groupBy(samples, ({ name }) => name);
  const find = (name: string, wanted: Labels = {}) =>
    (byName.get(name) ?? []).filter(({ labels }) =>
      Object.entries(wanted).every(([label, value]) => labels[label] === value),
    );
  const sum = (name: string, labels?: Labels) => find(name, labels).reduce((total, { value }) => total + value, 0);
  const by = (name: string, label: string, labels?: Labels) => {
    const sums = new Map<string, number>();
    for (const { labels: own, value } of find(name, labels)) {
      sums.set(own[label] ?? '', (sums.get(own[label] ?? '') ?? 0) + value);
    }
    return sums;
  };
  return {
    sum,
    by: (name, label) => by(name, label),
    distribution(name, labels) {
      const count = sum(`${name}_count`, labels);
      const bounds = [...by(`${name}_bucket`, 'le', labels)]
        .map(([bound, total]) => [Number(bound === '+Inf' ? Number.POSITIVE_INFINITY : bound), total] as const)
        .sort(([a], [b]) => a - b);
      return {
        count,
        mean: sum(`${name}_sum`, labels) / count,
        quantile: (share) => bounds.find(([, total]) => count > 0 && total >= count * share)?.[0] ?? Number.NaN,
      };
    },
  };
}
