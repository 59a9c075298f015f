import { Gauge } from 'prom-client';
import type { EvaluationRun } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { SuiteKindSchema } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { createLabelLimit } from '#kit/base/metrics/label-limit.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import type { SuiteStore } from './nightly/suite-store.ts';
import type { NightlySettings } from './nightly/suites.ts';

/** Data sets with a label of their own. */
const maxDataSetLabels = 50;

/** Figures of runs. */
export interface EvaluationMetrics {
  /** Shows the result of a run until the next one of the same data set. */
  finished(tenant: string, run: EvaluationRun): void;
}

/** Registers a metric of the configured suites that is read from their records, so that all replicas show the same. */
export function registerSuites(
  { registry, tenantLabel }: Metrics,
  { suites: configured }: Pick<NightlySettings, 'suites'>,
  suites: Pick<SuiteStore, 'states'>,
): void {
  const dataSetLabel = createLabelLimit(maxDataSetLabels);
  new Gauge({
    name: 'ragmesh_quality_regression',
    help: 'Whether the latest nightly run of a suite is significantly worse than its baseline: 1, or 0',
    labelNames: ['tenant', 'suite', 'data_set'],
    aggregator: 'max',
    registers: [registry],
    async collect() {
      const states = await suites.states();
      this.reset();
      for (const { tenant, dataSet, isWorse } of states) {
        const suite = configured.find((one) => one.tenant === tenant && one.dataSet === dataSet);
        if (suite === undefined) continue;
        const name = enumName(SuiteKindSchema, suite.suite).toLowerCase();
        this.set({ tenant: tenantLabel(tenant), suite: name, data_set: dataSetLabel(dataSet) }, isWorse ? 1 : 0);
      }
    },
  });
}

/** Registers the metrics of evaluation: an alert compares the latest figures with earlier ones. */
export function createEvaluationMetrics({ registry, tenantLabel }: Metrics, clock: () => number): EvaluationMetrics {
  const dataSetLabel = createLabelLimit(maxDataSetLabels);
  const score = new Gauge({
    name: 'ragmesh_evaluation_score',
    help: 'Mean of a figure of the latest run in this process, from 0 to 1',
    labelNames: ['tenant', 'data_set', 'figure'],
    aggregator: 'max',
    registers: [registry],
  });
  const at = new Gauge({
    name: 'ragmesh_evaluation_run_timestamp_seconds',
    help: 'When the latest run in this process ended, in seconds since 1970',
    labelNames: ['tenant', 'data_set'],
    aggregator: 'max',
    registers: [registry],
  });
  return {
    finished(tenant, { dataSet, metrics }) {
      const labels = { tenant: tenantLabel(tenant), data_set: dataSetLabel(dataSet) };
      for (const { name, mean } of metrics) score.set({ ...labels, figure: name }, mean);
      at.set(labels, clock() / 1000);
    },
  };
}
