import { failedCodes } from './objectives.ts';
import { type AlertRule, runbookOf } from './rule.ts';

// Alerts on what no objective over requests shows: figures of quality, and parts that are about to fail.

type Given = Omit<AlertRule, 'labels' | 'annotations'> & {
  severity: AlertRule['labels']['severity'];
  summary: string;
  description: string;
};

const define = ({ severity, summary, description, ...rest }: Given): AlertRule => ({
  ...rest,
  labels: { severity },
  annotations: { summary, description, runbook_url: runbookOf(rest.alert) },
});

/** Largest fall of a figure of evaluation from its best in a week. */
const largestFall = 0.05;

export const symptomAlerts: readonly AlertRule[] = [
  define({
    alert: 'RagmeshQualityRegression',
    expr: `ragmesh_evaluation_score < ${1 - largestFall} * max_over_time(ragmesh_evaluation_score[7d])`,
    for: '5m',
    severity: 'ticket',
    summary: '{{ $labels.figure }} of data set {{ $labels.data_set }} has fallen',
    description: 'The latest run scores {{ $value | humanize }}, more than 5 % below the best of the last 7 days.',
  }),
  define({
    alert: 'RagmeshNightlyRegression',
    expr: 'max by (tenant, suite, data_set) (ragmesh_quality_regression) > 0',
    for: '5m',
    severity: 'ticket',
    summary:
      'The nightly suite {{ $labels.suite }} of data set {{ $labels.data_set }} is significantly worse than before',
    description:
      'The 95 % interval of the difference to the last good run is below 0. The console (Evaluation) names the questions; accept the run if the loss is wanted.',
  }),
  define({
    alert: 'RagmeshUnsupportedClaims',
    expr: [1, 6]
      .map(
        (hours) =>
          `sum by (region) (rate(ragmesh_unsupported_claim_total[${hours}h])) / (sum by (region) (rate(ragmesh_answer_total[${hours}h])) > 0) > 0.1`,
      )
      .join(' and '),
    for: '5m',
    severity: 'ticket',
    summary: 'Answers say what their passages do not',
    description:
      '{{ $value | humanize }} sentences an answer lack support in the cited passages; over 0.1 for an hour and for six.',
  }),
  define({
    alert: 'RagmeshRefusals',
    expr: 'sum by (region) (rate(ragmesh_answer_total{outcome="refused"}[1h])) / (sum by (region) (rate(ragmesh_answer_total[1h])) > 0.01) > 2 * sum by (region) (rate(ragmesh_answer_total{outcome="refused"}[7d])) / sum by (region) (rate(ragmesh_answer_total[7d])) + 0.1',
    for: '10m',
    severity: 'ticket',
    summary: 'More questions than usual get no answer',
    description: '{{ $value | humanizePercentage }} of answers are refusals, more than twice the share of the week.',
  }),
  define({
    alert: 'RagmeshDegraded',
    expr: 'sum by (region, stage) (rate(ragmesh_degradation_total[15m])) / on (region) group_left () (sum by (region) (rate(ragmesh_answer_total[15m])) > 0.01) > 0.1',
    for: '10m',
    severity: 'ticket',
    summary: 'Stage {{ $labels.stage }} is skipped in many answers',
    description: '{{ $value | humanizePercentage }} of answers were made without it: it fails or is late.',
  }),
  define({
    alert: 'RagmeshIndexJobsFail',
    expr: 'sum by (region) (increase(ragmesh_index_job_total{result="failed"}[1h])) > 3 and sum by (region) (increase(ragmesh_index_job_total{result="failed"}[1h])) > 0.1 * sum by (region) (increase(ragmesh_index_job_total[1h]))',
    severity: 'ticket',
    summary: 'Indexing jobs fail',
    description: '{{ $value | humanize }} jobs have failed within an hour, over a tenth of all.',
  }),
  define({
    alert: 'RagmeshIndexVersionStuck',
    expr: 'min_over_time(ragmesh_index_versions{state="building"}[2h]) > 0 and on (region) sum by (region) (increase(ragmesh_index_job_total{result="succeeded"}[2h])) == 0',
    for: '10m',
    severity: 'ticket',
    summary: 'A version of an index is being built without an end',
    description: 'For two hours a version is building and no job has succeeded.',
  }),
  define({
    alert: 'RagmeshProviderOpen',
    expr: 'max by (region, model) (ragmesh_llm_breaker_state) == 2',
    for: '5m',
    severity: 'ticket',
    summary: 'Model {{ $labels.model }} is not called, because it fails',
    description: 'Its circuit is open for five minutes. Requests go to the other models of its routes.',
  }),
  define({
    alert: 'RagmeshProviderRefuses',
    expr: 'sum by (region, model) (rate(ragmesh_llm_attempt_total{result=~"rate-limited|overloaded|quota|auth"}[10m])) / (sum by (region, model) (rate(ragmesh_llm_attempt_total[10m])) > 0) > 0.2',
    for: '5m',
    severity: 'ticket',
    summary: 'The provider of {{ $labels.model }} refuses requests',
    description:
      '{{ $value | humanizePercentage }} of attempts end with a rate limit, an overload, a quota or a key that is not accepted.',
  }),
  define({
    alert: 'RagmeshUsageLost',
    expr: 'sum by (region) (increase(ragmesh_llm_ledger_total{outcome="dropped"}[30m])) > 0',
    severity: 'page',
    summary: 'Usage of models is missing in the ledger',
    description: '{{ $value | humanize }} entries were dropped: the log has each as ledger_entry_dropped.',
  }),
  define({
    alert: 'RagmeshNotReady',
    expr: 'min by (region, job, instance, service) (ragmesh_service_ready) == 0',
    for: '5m',
    severity: 'page',
    summary: '{{ $labels.service }} of {{ $labels.instance }} cannot serve',
    description: 'Its /readyz names the store or provider that is away.',
  }),
  define({
    alert: 'RagmeshDown',
    // The Prometheus operator puts the namespace before the name of a job.
    expr: 'up{job=~"(.*/)?ragmesh.*"} == 0',
    for: '3m',
    severity: 'page',
    summary: '{{ $labels.instance }} is not scraped',
    description: 'The process is gone, or its admin port cannot be reached.',
  }),
  define({
    alert: 'RagmeshBrokenCalls',
    expr: `sum by (region, service) (rate(ragmesh_rpc_client_total{code=~"${failedCodes}"}[10m])) / (sum by (region, service) (rate(ragmesh_rpc_client_total[10m])) > 0.01) > 0.01`,
    for: '10m',
    severity: 'ticket',
    summary: 'Calls to {{ $labels.service }} fail on their way or there',
    description:
      "{{ $value | humanizePercentage }} of calls of other processes end with an error that is not the caller's.",
  }),
  define({
    alert: 'RagmeshSlowProcess',
    expr: 'max by (region, job, instance) (nodejs_eventloop_lag_p99_seconds) > 0.25',
    for: '10m',
    severity: 'ticket',
    summary: '{{ $labels.instance }} is too busy to be quick',
    description: 'Its event loop is {{ $value | humanizeDuration }} late: every request of the process waits as long.',
  }),
  define({
    alert: 'RagmeshMixedVersions',
    expr: 'count by (region) (count by (region, version) (ragmesh_build_info)) > 1',
    for: '1h',
    severity: 'ticket',
    summary: 'Replicas run different versions',
    description: '{{ $value }} versions have run side by side for an hour: a rollout has stopped.',
  }),
  define({
    alert: 'RagmeshTelemetryLost',
    expr: 'sum by (region) (increase(ragmesh_telemetry_lost_spans_total[30m])) > 0',
    for: '30m',
    severity: 'ticket',
    summary: 'Traces do not reach the collector',
    description: '{{ $value | humanize }} spans were lost within half an hour.',
  }),
];
