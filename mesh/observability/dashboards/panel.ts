/** A query of a panel. */
export interface Query {
  readonly expr: string;
  /** Name of each series: "{{model}}". */
  readonly legend: string;
}

/** A panel of a dashboard. */
export interface Panel {
  readonly title: string;
  /** What to conclude from it. */
  readonly description?: string;
  readonly kind: 'timeseries' | 'stat';
  /** Unit as Grafana names it. */
  readonly unit: Unit;
  readonly queries: readonly Query[];
}

/** Units of Grafana: milliseconds, a share from 0 to 1, events per second, a plain number, bytes, seconds. */
export type Unit = 'ms' | 'percentunit' | 'reqps' | 'short' | 'bytes' | 's';

/** A dashboard. */
export interface Dashboard {
  /** Name of its file, and its address in Grafana. */
  readonly name: string;
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** Selects the regions that the reader has chosen; all of them if no series has the label. */
export const inRegion = 'region=~"$region"';

/** Returns a panel of lines. */
export function lines(title: string, unit: Unit, queries: readonly Query[], description?: string): Panel {
  return { title, unit, queries, kind: 'timeseries', ...(description !== undefined && { description }) };
}

/** Returns a panel of numbers. */
export function numbers(title: string, unit: Unit, queries: readonly Query[], description?: string): Panel {
  return { ...lines(title, unit, queries, description), kind: 'stat' };
}

/** Returns the rate of a counter, summed by labels. */
export function rate(metric: string, by: string, matchers = ''): Query {
  const selected = `${metric}{${inRegion}${matchers === '' ? '' : `,${matchers}`}}`;
  return { expr: `sum by (${by}) (rate(${selected}[$__rate_interval]))`, legend: legendOf(by) };
}

/** Returns quantiles of a histogram, by labels. */
export function quantiles(metric: string, shares: readonly number[], by = '', matchers = ''): Query[] {
  const labels = by === '' ? 'le' : `le, ${by}`;
  const selected = `${metric}_bucket{${inRegion}${matchers === '' ? '' : `,${matchers}`}}`;
  return shares.map((share) => ({
    expr: `histogram_quantile(${share}, sum by (${labels}) (rate(${selected}[$__rate_interval])))`,
    legend: `p${share * 100}${by === '' ? '' : ` ${legendOf(by)}`}`,
  }));
}

/** Returns a gauge of all processes: their sum, or another aggregation if each reports the whole. */
export function gauge(metric: string, by: string, aggregation: 'sum' | 'max' | 'min' = 'sum', matchers = ''): Query {
  const selected = `${metric}{${inRegion}${matchers === '' ? '' : `,${matchers}`}}`;
  return { expr: `${aggregation} by (${by}) (${selected})`, legend: legendOf(by) };
}

function legendOf(by: string): string {
  return by
    .split(', ')
    .map((label) => `{{${label}}}`)
    .join(' ');
}
