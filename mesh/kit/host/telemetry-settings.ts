import { create, isFieldSet } from '@bufbuild/protobuf';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { type TelemetryConfig, TelemetryConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '../base/config-error.ts';
import type { Env } from './config/config.ts';

/** How a process records traces, and the collector that receives them. */
export interface TelemetrySettings {
  /** URL that takes traces; `undefined`: none leave the process. */
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Time for one export with its retries, in milliseconds. */
  readonly timeoutMs: number;
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
 * Returns the settings of traces. A value of the configuration wins over OpenTelemetry's variable of the same meaning. Throws
 * ConfigError for a variable that cannot be honoured.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function readTelemetrySettings(
  given: TelemetryConfig | undefined,
  identity: ProcessIdentity,
  env: Env,
): TelemetrySettings {
  const config = given ?? create(TelemetryConfigSchema);
  const url = readUrl(config, env);
  return {
    url,
    headers: readPairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS', env) ?? readPairs('OTEL_EXPORTER_OTLP_HEADERS', env) ?? {},
    timeoutMs:
      readNumber('OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', env, 600_000) ??
      readNumber('OTEL_EXPORTER_OTLP_TIMEOUT', env, 600_000) ??
      10_000,
    sampler: readSampler(config, env),
    attributes: readAttributes(identity, env),
  };
}

function readUrl(config: TelemetryConfig, env: Env): string | undefined {
  const isOff = env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
  const base = config.otlpEndpoint || (isOff ? '' : env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const own = config.otlpEndpoint || isOff ? undefined : env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  const url = own || (base ? `${base.replace(/\/+$/, '')}/v1/traces` : undefined);
  if (url === undefined) return undefined;
  if (!URL.canParse(url)) {
    throw new ConfigError(
      config.otlpEndpoint ? 'telemetry.otlp_endpoint' : 'OTEL_EXPORTER_OTLP_ENDPOINT',
      'is not a URL',
    );
  }
  for (const name of ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_PROTOCOL']) {
    const protocol = env[name];
    if (protocol) {
      if (protocol !== 'http/protobuf') throw new ConfigError(name, `is "${protocol}"`, ['http/protobuf']);
      break;
    }
  }
  return url;
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
