import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { EvaluationService } from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { SuiteStore } from './suite-store.ts';
import { type NightlySettings, nextTimeMs } from './suites.ts';

/** Creates the rpcs of suites. */
export function createSuiteRpcs(
  suites: SuiteStore,
  { schedule, suites: configured }: NightlySettings,
): Pick<ServiceHandlers<typeof EvaluationService>, 'listSuites' | 'acceptSuite'> {
  return {
    async listSuites(_, { principal: { tenant } }) {
      const stored = await suites.list(tenant);
      return {
        schedule,
        suites: configured
          .filter((suite) => suite.tenant === tenant)
          .map(({ dataSet, corpora, suite }) => {
            const known = stored.find((each) => each.dataSet === dataSet);
            return {
              ...{ suite, dataSet, corpora: [...corpora], isWorse: known?.isWorse ?? false },
              ...(known !== undefined && { nextRunAt: timestampFromMs(nextTimeMs(schedule, known.doneUntilMs)) }),
              ...(known?.latest !== undefined && { latest: { ...known.latest, questions: [] } }),
              ...(known?.report !== undefined && { report: known.report }),
            };
          }),
      };
    },
    async acceptSuite({ dataSet }, { principal: { tenant } }) {
      if (!(await suites.accept(tenant, dataSet))) throw notFound('run of a suite', dataSet);
      return {};
    },
  };
}
