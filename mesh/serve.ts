import { randomUUID } from 'node:crypto';
import { clone, create } from '@bufbuild/protobuf';
import {
  AdminConfigSchema,
  type Config,
  ConfigSchema,
  EdgeConfigSchema,
  GrpcConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError, unknownName } from '#kit/base/config-error.ts';
import { createLogger, type Logger } from '#kit/base/log.ts';
import type { Env } from '#kit/host/config/config.ts';
import { watchConfig } from '#kit/host/config/watch-config.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Host, startHost } from '#kit/host/host.ts';
import { registerTelemetryMetrics, startTelemetry, type Telemetry } from '#kit/host/telemetry.ts';
import packageJson from '../package.json' with { type: 'json' };
import { createStatusLine, greetingOf, type RunningEdge } from './greeting.ts';
import { loadSample, type SampleResult } from './sample.ts';

/** What a process runs with. */
export interface ProcessOptions {
  /** Every service of the mesh. */
  known: readonly ServiceDefinition[];
  config: Config;
  env: Env;
}

/** Returns the services of `--services`, or all. Throws ConfigError for a name that is not a service. */
export function chooseServices(
  names: string | undefined,
  known: readonly ServiceDefinition[],
): readonly ServiceDefinition[] {
  if (names === undefined) return known;
  const allowed = known.map(({ name }) => name);
  return names.split(',').map((text) => {
    const found = known.find(({ name }) => name === text.trim());
    if (found === undefined) throw new ConfigError('--services', unknownName('service', text.trim(), allowed), allowed);
    return found;
  });
}

/** Runs services until the process is asked to stop. Resolves when they serve and the greeting is printed. */
export async function serve(
  options: ProcessOptions & {
    chosen: readonly ServiceDefinition[];
    /** The configuration file, watched for changes; `undefined` without one. */
    path: string | undefined;
    readConfig(): Config;
  },
): Promise<void> {
  const { known, chosen, config, env, path } = options;
  const log = createLogger(config.telemetry?.logLevel || (process.stderr.isTTY ? 'warn' : 'info'));
  const names = chosen.map(({ name }) => name);
  const telemetry = startProcessTelemetry(
    config,
    chosen.length === known.length ? 'ragmesh' : names.join('+'),
    env,
    log,
  );
  const host = await startHost({ services: chosen, known, config, env, log, tracing: telemetry.recording });
  registerTelemetryMetrics(host.metrics.registry, telemetry);
  const unwatch =
    path === undefined
      ? () => {}
      : watchConfig({ path, load: options.readConfig, apply: (next) => host.reconfigure(next), log });
  const stop = async (signal: string) => {
    log.info({ event: 'draining', signal }, 'draining');
    unwatch();
    await host.close();
    await telemetry.close();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
  log.info({ event: 'serving', services: names, grpcPort: host.grpcPort, adminPort: host.adminPort }, 'serving');
  const startMs = performance.now();
  const sample = chosen.length === known.length ? await loadFirstSample(host) : undefined;
  process.stdout.write(`${greetingOf({ host, config, known, chosen, startMs, sample }).join('\n')}\n`);
}

/** Loads the sample for the development keys, if there are any, with a status line. */
async function loadFirstSample(host: Host): Promise<SampleResult | undefined> {
  if (edgeOf(host)?.devKeys === undefined) return undefined;
  const status = createStatusLine(process.stderr);
  status.show('loading the sample knowledge base …');
  try {
    return await loadSample(host);
  } finally {
    status.clear();
  }
}

function edgeOf(host: Host): RunningEdge | undefined {
  return host.running('edge') as unknown as RunningEdge | undefined;
}

function startProcessTelemetry(config: Config, serviceName: string, env: Env, log: Logger): Telemetry {
  return startTelemetry(config.telemetry, serviceName, {
    env,
    log,
    version: packageJson.version,
    instanceId: randomUUID(),
  });
}

/** Starts the whole mesh on free ports, for a command that found no server. */
export async function startQuietMesh(options: ProcessOptions): Promise<{ edgePort: number; close(): Promise<void> }> {
  const { known, config, env } = options;
  const quiet = clone(ConfigSchema, config);
  quiet.grpc ??= create(GrpcConfigSchema);
  quiet.admin ??= create(AdminConfigSchema);
  quiet.edge ??= create(EdgeConfigSchema);
  for (const server of [quiet.grpc, quiet.admin, quiet.edge]) Object.assign(server, { host: '127.0.0.1', port: 0 });
  const log = createLogger('warn');
  const telemetry = startProcessTelemetry(config, 'ragmesh', env, log);
  const host = await startHost({ services: known, known, config: quiet, env, log, tracing: telemetry.recording });
  const edge = edgeOf(host);
  if (edge?.devKeys !== undefined) await loadSample(host);
  return {
    edgePort: edge?.port ?? 0,
    async close() {
      await host.close();
      await telemetry.close();
    },
  };
}
