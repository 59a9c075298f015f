/** A service level objective: a share of events that may be bad, over 30 days. */
export interface Objective {
  /** Value of the label `slo`. */
  readonly slo: string;
  /** Begins the name of its alert. */
  readonly alert: string;
  /** What a user notices. */
  readonly summary: string;
  /** Share of good events, from 0 to 1. */
  readonly target: number;
  /** Returns the rate of bad and of all events over a window, by region. */
  readonly bad: (window: string) => string;
  readonly all: (window: string) => string;
}

/** Codes that are ours or the infrastructure's, never the caller's: those of `infrastructureCodes` in the kit. */
export const failedCodes = 'Unavailable|DeadlineExceeded|Internal|Unknown|DataLoss';

/** Requests of a page or a probe, which are no calls. */
const noCalls = 'route!~"console|other"';

const edgeRequests = (window: string, matchers: string) =>
  `sum by (region) (rate(ragmesh_edge_requests_total{${noCalls}${matchers}}[${window}]))`;

/** Milliseconds in which the first text of an answer arrives, and in which a search ends; both are bounds of buckets. */
export const firstTokenMs = 800;
export const retrievalMs = 250;

const count = (metric: string, window: string, matchers = '') =>
  `sum by (region) (rate(${metric}_count${matchers === '' ? '' : `{${matchers}}`}[${window}]))`;

/** Observations over a bound. Prometheus 3 writes the bound of a bucket as "800.0", version 2 as it was exposed. */
function over(metric: string, bound: number, window: string, matchers = ''): string {
  const labels = `${matchers === '' ? '' : `${matchers},`}le=~"${bound}|${bound}\\\\.0"`;
  return `${count(metric, window, matchers)} - sum by (region) (rate(${metric}_bucket{${labels}}[${window}]))`;
}

/** Objectives over requests. */
export const objectives: readonly Objective[] = [
  {
    slo: 'availability',
    alert: 'RagmeshAvailability',
    summary: 'Requests fail that should succeed',
    target: 0.999,
    // A stream says 200 and fails inside: its code counts. A request that is no rpc has no code: its status counts.
    bad: (window) =>
      `${edgeRequests(window, '')} - (${edgeRequests(window, `,code!~"${failedCodes}",status!~"5.."`)} or 0 * ${edgeRequests(window, '')})`,
    all: (window) => edgeRequests(window, ''),
  },
  {
    slo: 'first_token',
    alert: 'RagmeshFirstToken',
    summary: `The first text of answers takes more than ${firstTokenMs} ms`,
    target: 0.95,
    bad: (window) => over('ai_first_token_ms', firstTokenMs, window),
    all: (window) => count('ai_first_token_ms', window),
  },
  {
    slo: 'retrieval',
    alert: 'RagmeshRetrievalLatency',
    summary: `Searches take more than ${retrievalMs} ms`,
    target: 0.99,
    bad: (window) => over('ai_retrieval_latency_ms', retrievalMs, window, 'index="all"'),
    all: (window) => count('ai_retrieval_latency_ms', window, 'index="all"'),
  },
];

/** Longest wait of an indexing job within the objective of freshness, in milliseconds. */
export const freshMs = 15 * 60_000;

/** Share of the time in which no indexing job waits longer than {@link freshMs}. */
export const freshnessTarget = 0.99;

/** A burn rate over two windows: the long one says that it matters, the short one that it is not over. */
export interface Burn {
  readonly long: string;
  readonly short: string;
  /** Times the rate at which the budget of 30 days lasts 30 days. */
  readonly factor: number;
  readonly severity: 'page' | 'ticket';
}

/**
 * Burn rates that alert: 2 % of the budget in an hour, 5 % in six, 10 % in a day, 10 % in three days (The Site Reliability Workbook, "Alerting on SLOs").
 */
export const burns: readonly Burn[] = [
  { long: '1h', short: '5m', factor: 14.4, severity: 'page' },
  { long: '6h', short: '30m', factor: 6, severity: 'page' },
  { long: '1d', short: '2h', factor: 3, severity: 'ticket' },
  { long: '3d', short: '6h', factor: 1, severity: 'ticket' },
];

/** Every window of a burn rate. */
export const windows: readonly string[] = [...new Set(burns.flatMap(({ long, short }) => [short, long]))];

/** Fewest requests in a long window for an alert: one failure of two is no incident. */
export const minRequests = 30;

/** Budget of 30 days for providers, in millionths of a currency unit. Change it to yours. */
export const costBudgets: Readonly<Record<string, number>> = { USD: 10_000_000_000, CNY: 70_000_000_000 };
