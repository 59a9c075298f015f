import { Cron } from 'croner';
import type { EvaluationNightly } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { SuiteKind } from '#gen/ragmesh/evaluation/v1/suite_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';

/** Judged questions that are asked by a schedule. */
export interface Suite {
  readonly tenant: string;
  readonly dataSet: string;
  /** Corpora to search; none: all that are visible. */
  readonly corpora: readonly string[];
  /** Groups by which documents are seen. */
  readonly groups: readonly string[];
  /** What is measured. */
  readonly suite: SuiteKind;
  /** Alias of the model that answers; empty: the default one. */
  readonly model: string;
}

/** The suites, and when they run. */
export interface NightlySettings {
  /** Five fields of cron, in UTC. */
  readonly schedule: string;
  readonly suites: readonly Suite[];
}

/** Returns the suites of a configuration. Throws ConfigError for a schedule that is none, or two suites of one data set. */
export function readNightly({ schedule, suites }: EvaluationNightly): NightlySettings {
  const path = 'evaluation.nightly';
  try {
    nextTimeMs(schedule, 0);
  } catch {
    throw new ConfigError(`${path}.schedule`, `"${schedule}" is not five fields of cron with a time in the future`);
  }
  const seen = new Set<string>();
  for (const [index, { tenant, dataSet }] of suites.entries()) {
    const name = JSON.stringify([tenant, dataSet]);
    if (seen.has(name))
      throw new ConfigError(`${path}.suites[${index}]`, `"${dataSet}" is a suite of the tenant already`);
    seen.add(name);
  }
  return {
    schedule,
    suites: suites.map(({ tenant, dataSet, corpora, groups, suite, model }) => ({
      ...{ tenant, dataSet, corpora, groups, suite, model },
    })),
  };
}

/** Returns the first time of a schedule after another one, in milliseconds since 1970. Throws if the schedule has none. */
export function nextTimeMs(schedule: string, afterMs: number): number {
  const at = new Cron(schedule, { timezone: 'UTC', mode: '5-part', paused: true }).nextRun(new Date(afterMs));
  if (at === null) throw new Error(`the schedule "${schedule}" has no time after ${new Date(afterMs).toISOString()}`);
  return at.getTime();
}
