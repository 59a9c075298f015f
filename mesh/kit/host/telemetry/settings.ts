import { create, type DescField, isFieldSet } from '@bufbuild/protobuf';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { type TelemetryConfig, TelemetryConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../../base/config-error.ts';
import type { Env } from '../config/config.ts';

/** A place that takes one signal over OTLP/HTTP. */
export interface OtlpTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Time for one export with its retries, in milliseconds. */
  readonly timeoutMs: number;
}

/** A place that takes metrics. */
export interface MetricTarget extends OtlpTarget {
  /** Time between two exports, in milliseconds. */
  readonly intervalMs: number;
}

/** What of a process leaves it, and to which collector. */
export interface TelemetrySettings {
  /** `undefined`: none leave the process. */
  readonly traces: OtlpTarget | undefined;
  readonly metrics: MetricTarget | undefined;
  readonly logs: OtlpTarget | undefined;
  readonly sampler: Sampler;
  /** Attributes of the resource, `service.name` among them. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What this process is, unless the environment says otherwise. */
export interface ProcessIdentity {
  readonly serviceName: string;
  readonly version?: string | undefined;
  readonly instanceId?: string | undefined;
}

/**
 * Returns the settings. A value of the configuration wins over OpenTelemetry's variable of the same meaning. Throws ConfigError for a
 * variable that cannot be honoured.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function readTelemetrySettings(
  given: TelemetryConfig | undefined,
  identity: ProcessIdentity,
  env: Env,
): TelemetrySettings {
  const config = given ?? create(TelemetryConfigSchema);
  const { otlpMetrics, otlpLogs, otlpMetricsIntervalMs } = TelemetryConfigSchema.field;
  const wants = (name: 'metrics' | 'logs', field: DescField, value: boolean) =>
    isFieldSet(config, field) ? value : env[`OTEL_${name.toUpperCase()}_EXPORTER`] === 'otlp';
  const metrics = wants('metrics', otlpMetrics, config.otlpMetrics) && requireTarget('metrics', config, env);
  const logs = wants('logs', otlpLogs, config.otlpLogs) && requireTarget('logs', config, env);
  const intervalMs = isFieldSet(config, otlpMetricsIntervalMs)
    ? config.otlpMetricsIntervalMs
    : (readNumber('OTEL_METRIC_EXPORT_INTERVAL', env, 3_600_000) ?? 60_000);
  return {
    traces: env.OTEL_TRACES_EXPORTER === 'none' && !config.otlpEndpoint ? undefined : readTarget('traces', config, env),
    metrics: metrics ? { ...metrics, intervalMs } : undefined,
    logs: logs || undefined,
    sampler: readSampler(config, env),
    attributes: readAttributes(identity, env),
  };
}

type Signal = 'traces' | 'metrics' | 'logs';

/** Returns the target of a signal that was asked for. */
function requireTarget(signal: Signal, config: TelemetryConfig, env: Env): OtlpTarget | undefined {
  const target = readTarget(signal, config, env);
  if (target !== undefined || isDisabled(env)) return target;
  const advice = 'set telemetry.otlp_endpoint or OTEL_EXPORTER_OTLP_ENDPOINT';
  throw new ConfigError(`telemetry.otlp_${signal}`, `has no collector: ${advice}`);
}

const isDisabled = (env: Env) => env.OTEL_SDK_DISABLED?.toLowerCase() === 'true';

/** Returns the target of a signal; `undefined` if no collector is configured. */
function readTarget(signal: Signal, config: TelemetryConfig, env: Env): OtlpTarget | undefined {
  const prefix = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}`;
  const headers = readPairs(`${prefix}_HEADERS`, env) ?? readPairs('OTEL_EXPORTER_OTLP_HEADERS', env) ?? {};
  const timeoutMs =
    readNumber(`${prefix}_TIMEOUT`, env, 600_000) ?? readNumber('OTEL_EXPORTER_OTLP_TIMEOUT', env, 600_000) ?? 10_000;
  const isOff = isDisabled(env);
  const base = config.otlpEndpoint || (isOff ? '' : env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const own = config.otlpEndpoint || isOff ? undefined : env[`${prefix}_ENDPOINT`];
  const url = own || (base ? `${base.replace(/\/+$/, '')}/v1/${signal}` : undefined);
  if (url === undefined) return undefined;
  if (!URL.canParse(url)) {
    throw new ConfigError(
      config.otlpEndpoint ? 'telemetry.otlp_endpoint' : 'OTEL_EXPORTER_OTLP_ENDPOINT',
      'is not a URL',
    );
  }
  for (const name of [`${prefix}_PROTOCOL`, 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    const protocol = env[name];
    if (protocol) {
      if (protocol !== 'http/protobuf') throw new ConfigError(name, `is "${protocol}"`, ['http/protobuf']);
      break;
    }
  }
  return { url, headers, timeoutMs };
}

function readSampler(config: TelemetryConfig, env: Env): Sampler {
  const ofConfig = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.sampleRatio) });
  const name = env.OTEL_TRACES_SAMPLER;
  if (!name || isFieldSet(config, TelemetryConfigSchema.field.sampleRatio)) return ofConfig;
  const ratio = () => new TraceIdRatioBasedSampler(readNumber('OTEL_TRACES_SAMPLER_ARG', env, 1) ?? 1);
  const samplers: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: ratio,
    parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    parentbased_traceidratio: () => new ParentBasedSampler({ root: ratio() }),
  };
  const chosen = Object.hasOwn(samplers, name) ? samplers[name] : undefined;
  if (chosen === undefined) throw new ConfigError('OTEL_TRACES_SAMPLER', `is "${name}"`, Object.keys(samplers));
  return chosen();
}

function readAttributes({ serviceName, version, instanceId }: ProcessIdentity, env: Env): Record<string, string> {
  return {
    'service.name': serviceName,
    'service.namespace': 'ragmesh',
    ...(version === undefined ? {} : { 'service.version': version }),
    ...(instanceId === undefined ? {} : { 'service.instance.id': instanceId }),
    ...readPairs('OTEL_RESOURCE_ATTRIBUTES', env),
    ...(env.OTEL_SERVICE_NAME ? { 'service.name': env.OTEL_SERVICE_NAME } : {}),
  };
}

/** Reads `a=1,b=2` with percent-encoded values. */
function readPairs(name: string, env: Env): Record<string, string> | undefined {
  const text = env[name];
  if (!text) return undefined;
  const pairs = text
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair): [string, string] => {
      const index = pair.indexOf('=');
      // The value may be a secret, so the error does not repeat it.
      if (index <= 0) throw new ConfigError(name, 'is not a list of key=value with commas');
      return [pair.slice(0, index).trim(), decode(name, pair.slice(index + 1).trim())];
    });
  return Object.fromEntries(pairs);
}

function decode(name: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(name, 'has a value with a bad percent-encoding');
  }
}

function readNumber(name: string, env: Env, largest: number): number | undefined {
  const text = env[name];
  if (!text) return undefined;
  const value = Number(text);
  if (!(value >= 0 && value <= largest)) throw new ConfigError(name, `is "${text}"`, [`0 to ${largest}`]);
  return value;
}
