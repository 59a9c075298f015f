import { create } from '@bufbuild/protobuf';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import {
  type EvaluationRun,
  RunEvaluationRequestSchema,
  type SuiteReport,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { principalOf } from '#kit/rpc/identity.ts';
import { contextOf, type RunContext } from '../runs/context.ts';
import { type RunDeps, runEvaluation } from '../runs/run.ts';
import type { EvaluationStore } from '../store.ts';
import { findFlaky } from './ask-again.ts';
import { compareRuns, lostQuestions } from './compare-runs.ts';
import type { SuiteStore } from './suite-store.ts';
import { type NightlySettings, nextTimeMs, type Suite } from './suites.ts';

/** Time between two looks for suites that are due. */
const pollMs = 30_000;
/** Time after which another process may run a suite whose process has ended, and time between two extensions. */
const leaseMs = { length: 300_000, renew: 60_000 };

/** What the nightly job needs. */
export interface NightlyDeps extends RunDeps {
  settings: NightlySettings;
  store: EvaluationStore;
  suites: SuiteStore;
}

/** Runs suites when they are due, as one of any number of replicas. */
export interface Nightly {
  /** Runs what is due now, one suite after the other. For tests; a running job looks by itself. */
  look(): Promise<void>;
  /** Stops the run in progress, which is repeated later. */
  close(): Promise<void>;
}

/** Starts the nightly job. */
export function startNightly(deps: NightlyDeps): Nightly {
  const { settings, suites, clock, log } = deps;
  const closing = new AbortController();
  const { signal } = closing;
  const lookOnce = async () => {
    for (const suite of settings.suites) await suites.add(suite.tenant, suite.dataSet, clock());
    for (const state of await suites.states()) {
      const suite = settings.suites.find(({ tenant, dataSet }) => tenant === state.tenant && dataSet === state.dataSet);
      if (suite === undefined || signal.aborted) continue;
      const dueMs = nextTimeMs(settings.schedule, state.doneUntilMs);
      const now = clock();
      if (dueMs > now || !(await suites.lease(state, now, now + leaseMs.length))) continue;
      await runSuite(deps, suite, signal);
    }
  };
  let looking: Promise<void> = Promise.resolve();
  const look = () => {
    const next = looking.then(lookOnce);
    looking = next.catch(() => {});
    return next;
  };
  const repeat = async () => {
    while (!signal.aborted) {
      await look().catch((error: unknown) => {
        if (!signal.aborted) log.warn({ event: 'nightly_look_failed', err: error }, 'nightly job failed, retrying');
      });
      await sleep(pollMs, signal).catch(() => {});
    }
  };
  const running = repeat();
  return {
    look,
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** Runs a suite whose lease this process has. Missed times of the schedule are one run. */
async function runSuite(deps: NightlyDeps, suite: Suite, stopping: AbortSignal): Promise<void> {
  const { suites, clock, log } = deps;
  const { tenant, dataSet } = suite;
  const startedMs = clock();
  const renewing = new AbortController();
  const renewed = renewLease(deps, suite, AbortSignal.any([renewing.signal, stopping]));
  try {
    const context = contextOf(principalOfSuite(suite), stopping);
    const run = await askSuite(deps, suite, context);
    const known = (await suites.list(tenant)).find((stored) => stored.dataSet === dataSet);
    const report = await judgeRun(deps, run, known?.baseline, context);
    await suites.finish(suite, startedMs, run, report);
    const fields = { tenant, data_set: dataSet, run_id: run.runId, is_worse: report.isWorse };
    if (report.isWorse) log.error({ event: 'quality_regression', ...fields }, 'nightly evaluation worse than before');
    else log.info({ event: 'nightly_finished', ...fields }, 'nightly evaluation finished');
  } catch (error) {
    // Another replica, or the next start, takes it over when the lease has ended.
    if (stopping.aborted) return;
    log.error({ event: 'nightly_failed', tenant, data_set: dataSet, err: error }, 'nightly evaluation failed');
    await suites.skip(tenant, dataSet, startedMs);
  } finally {
    renewing.abort();
    await renewed;
  }
}

async function renewLease({ suites, clock, log }: NightlyDeps, { tenant, dataSet }: Suite, signal: AbortSignal) {
  while (!signal.aborted) {
    await sleep(leaseMs.renew, signal).catch(() => {});
    if (signal.aborted) return;
    await suites.renew(tenant, dataSet, clock() + leaseMs.length).catch((error: unknown) => {
      log.warn({ event: 'nightly_lease_not_renewed', err: error }, 'lease of nightly job not renewed');
    });
  }
}

const principalOfSuite = ({ tenant, groups }: Suite) =>
  principalOf({ tenant, user: 'evaluation', groups: [...groups], roles: [Role.READER] });

/** Compares a run with the baseline. Before it counts as worse, the questions that lost are asked again, and flaky ones are left out. */
async function judgeRun(
  deps: NightlyDeps,
  run: EvaluationRun,
  baseline: EvaluationRun | undefined,
  context: RunContext,
): Promise<SuiteReport> {
  const report = await compareRuns(run, baseline);
  if (!report.isWorse || baseline === undefined) return report;
  const lost = lostQuestions(run, baseline).map(({ queryId }) => queryId);
  return compareRuns(run, baseline, await findFlaky(deps, run, lost, context));
}

/** Asks the questions of a suite of the live versions, with the rights of the suite. Throws if searches failed or lacked a stage. */
async function askSuite(
  deps: NightlyDeps,
  { dataSet, corpora, suite, model }: Suite,
  context: RunContext,
): Promise<EvaluationRun> {
  const request = create(RunEvaluationRequestSchema, {
    ...{ dataSet, suite, model },
    template: { query: dataSet, corpora: [...corpora], waitForStages: true },
    withQuestions: true,
  });
  let run: EvaluationRun | undefined;
  for await (const { event } of runEvaluation(deps, deps.store, request, context)) {
    if (event.case === 'run') run = event.value;
  }
  if (run === undefined) throw new Error('the run ended without a result');
  if (run.failedCount > 0 || run.degradedCount > 0) {
    throw new Error(
      `${run.failedCount} questions failed and ${run.degradedCount} lacked a stage: the figures are not of the versions`,
    );
  }
  return run;
}
