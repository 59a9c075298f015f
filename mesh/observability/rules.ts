import { stringify } from 'yaml';
import {
  type Burn,
  burns,
  costBudgets,
  freshMs,
  freshnessTarget,
  minRequests,
  type Objective,
  objectives,
  windows,
} from './objectives.ts';
import { type AlertRule, generatedBy, type RecordingRule, type Rule, runbookOf } from './rule.ts';
import { symptomAlerts } from './symptom-alerts.ts';

/** Rules that are evaluated one after another. */
export interface RuleGroup {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly Rule[];
}

/** Returns the rules of Prometheus as YAML. */
export function renderRules(): string {
  return `${generatedBy}${stringify({ groups: ruleGroups() }, { lineWidth: 0 })}`;
}

/** Returns the rules: recordings of the objectives, alerts on their burn rates, alerts on symptoms. */
export function ruleGroups(): RuleGroup[] {
  const recordings = [...objectives.flatMap(recordingsOf), ...freshnessRecordings, ...costRecordings];
  const isSlow = (rule: RecordingRule) => /(?:[26]h|d)$/.test(rule.record);
  return [
    { name: 'ragmesh-now', interval: '30s', rules: recordings.filter((rule) => !isSlow(rule)) },
    // Windows of hours read much and change little.
    { name: 'ragmesh-hours', interval: '2m', rules: recordings.filter(isSlow) },
    { name: 'ragmesh-burn', rules: [...objectives.flatMap(burnAlerts), ...freshnessAlerts, ...costAlerts] },
    { name: 'ragmesh-symptoms', rules: symptomAlerts },
  ];
}

/** Returns every rule. */
export function allRules(): Rule[] {
  return ruleGroups().flatMap(({ rules }) => rules);
}

function recordingsOf({ slo, bad, all }: Objective): RecordingRule[] {
  const longWindows = new Set(burns.map(({ long }) => long));
  return windows.flatMap((window) => [
    {
      record: `ragmesh:slo_errors:ratio_rate${window}`,
      labels: { slo },
      expr: `(${bad(window)}) / (${all(window)} > 0)`,
    },
    ...(longWindows.has(window)
      ? [{ record: `ragmesh:slo_requests:rate${window}`, labels: { slo }, expr: all(window) }]
      : []),
  ]);
}

const seconds: Readonly<Record<string, number>> = { '1h': 3600, '6h': 21_600, '1d': 86_400, '3d': 259_200 };

function burnAlerts({ slo, alert, summary, target }: Objective): AlertRule[] {
  const budget = round(1 - target);
  return burns.map((burn) => {
    const isOver = (window: string) =>
      `ragmesh:slo_errors:ratio_rate${window}{slo="${slo}"} > ${burn.factor} * ${budget}`;
    const least = round(minRequests / (seconds[burn.long] ?? 1));
    const isBusy = `ragmesh:slo_requests:rate${burn.long}{slo="${slo}"} > ${least}`;
    const expr = `${isOver(burn.long)} and ${isOver(burn.short)} and ${isBusy}`;
    return burnAlert(`${alert}Burn`, burn, expr, { summary, budget });
  });
}

function burnAlert(
  alert: string,
  { long, severity }: Burn,
  expr: string,
  { summary, budget }: { summary: string; budget: number },
): AlertRule {
  const share = `${round(budget * 100)} %`;
  return {
    alert,
    expr,
    labels: { severity, window: long },
    annotations: {
      summary: `${summary}{{ with $labels.region }} in {{ . }}{{ end }}`,
      description: `{{ $value | humanizePercentage }} over ${long}, and still now; over 30 days ${share} are allowed.`,
      runbook_url: runbookOf(alert),
    },
  };
}

// The oldest job, read every minute.
const freshnessRecordings: RecordingRule[] = [
  {
    record: 'ragmesh:index_stale:bool',
    expr: `max by (region) (ragmesh_index_queue_age_ms) > bool ${freshMs}`,
  },
  ...windows.map((window) => ({
    record: `ragmesh:slo_errors:ratio_rate${window}`,
    labels: { slo: 'freshness' },
    expr: `avg_over_time(ragmesh:index_stale:bool[${window}])`,
  })),
];

const freshnessAlerts: AlertRule[] = burns.map((burn) => {
  const budget = round(1 - freshnessTarget);
  const isOver = (window: string) =>
    `ragmesh:slo_errors:ratio_rate${window}{slo="freshness"} > ${burn.factor} * ${budget}`;
  const summary = `Indexing jobs wait longer than ${freshMs / 60_000} minutes`;
  return burnAlert('RagmeshBacklogBurn', burn, `${isOver(burn.long)} and ${isOver(burn.short)}`, { summary, budget });
});

const costRecordings: RecordingRule[] = [
  ...Object.entries(costBudgets).map(([currency, micros]) => ({
    record: 'ragmesh:cost_budget:micros_per_30d',
    labels: { currency },
    expr: `vector(${micros})`,
  })),
  ...windows.map((window) => ({
    record: `ragmesh:cost:burn_rate${window}`,
    expr: `sum by (currency) (rate(ragmesh_llm_cost_micros_total[${window}])) * ${30 * 86_400} / on (currency) ragmesh:cost_budget:micros_per_30d`,
  })),
];

const costAlerts: AlertRule[] = burns.map(({ long, short, factor, severity }) => ({
  alert: 'RagmeshCostBurn',
  expr: `ragmesh:cost:burn_rate${long} > ${factor} and ragmesh:cost:burn_rate${short} > ${factor}`,
  labels: { severity, window: long },
  annotations: {
    summary: 'Providers cost more than planned, in {{ $labels.currency }}',
    description: `Over ${long}, and still now, they cost {{ $value | humanize }} times the budget.`,
    runbook_url: runbookOf('RagmeshCostBurn'),
  },
}));

function round(value: number): number {
  return Number(value.toPrecision(6));
}
