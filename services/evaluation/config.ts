import { create } from '@bufbuild/protobuf';
import { AdminConfigSchema, type Config, EvaluationNightlySchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { type PersonalDataPolicies, readPersonalData } from '#kit/personal-data/policy.ts';
import { type NightlySettings, readNightly } from './nightly/suites.ts';

/** Settings of the evaluation service. */
export interface EvaluationSettings {
  /** Most questions of a data set. */
  readonly maxQueries: number;
  /** Largest data set in bytes; a run holds it in memory. */
  readonly maxDataSetBytes: number;
  /** Questions in flight at the same time if the request names no number. */
  readonly concurrency: number;
  /** Fewest passages to ask for, so that ten documents are among them although passages share documents. */
  readonly topK: number;
  /** Longest time for a question, in milliseconds. */
  readonly questionTimeoutMs: number;
  /** Most concurrent runs; more are refused. */
  readonly maxRunning: number;
  /** Pages of metrics for a diagnosis; none: {@link ownMetricsUrl}. */
  readonly metricsUrls: readonly string[];
  /** Page of this process or its group; `undefined` if its port is chosen at the start. */
  readonly ownMetricsUrl: string | undefined;
  /** Tenants whose operators may check the whole mesh. */
  readonly platformTenants: readonly string[];
  /** Suites that run by a schedule. */
  readonly nightly: NightlySettings;
  /** Personal data that is masked, for its suite. */
  readonly personalData: Pick<PersonalDataPolicies, 'ofTenant'>;
  /** The whole configuration, which a diagnosis judges. */
  readonly whole: Config;
}

/** Tenant of the development keys. */
const developmentTenant = 'demo';

/** Returns the settings from the configuration. Bounds are not in it. */
export function readConfig(config: Config): EvaluationSettings {
  const { metricsUrls = [], platformTenants = [] } = config.evaluation ?? {};
  const port = create(AdminConfigSchema, config.admin).port;
  return Object.freeze({
    metricsUrls,
    ownMetricsUrl: port === 0 ? undefined : `http://127.0.0.1:${port}/metrics`,
    platformTenants: platformTenants.length > 0 ? platformTenants : [developmentTenant],
    nightly: readNightly(create(EvaluationNightlySchema, config.evaluation?.nightly)),
    personalData: readPersonalData(config.personalData),
    whole: config,
    maxQueries: 50_000,
    maxDataSetBytes: 64 << 20,
    concurrency: 4,
    topK: 30,
    questionTimeoutMs: 5_000,
    maxRunning: 4,
  });
}
