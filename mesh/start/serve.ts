import { clone, create } from '@bufbuild/protobuf';
import {
  AdminConfigSchema,
  type Config,
  ConfigSchema,
  EdgeConfigSchema,
  GrpcConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError, throwProblems, unknownName } from '#kit/base/config-error.ts';
import { checkServices } from '#kit/host/config/check-config.ts';
import type { Env } from '#kit/host/config/config.ts';
import { watchConfig } from '#kit/host/config/watch-config.ts';
import type { ServiceDefinition } from '#kit/host/define-service.ts';
import { type Host, startHost } from '#kit/host/host.ts';
import { startGroup } from '../group/primary.ts';
import { createStatusLine, greetingOf, type RunningEdge } from './greeting.ts';
import { startProcessTelemetry, version } from './process.ts';
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

/** What serves, and with what. */
export interface ServeOptions extends ProcessOptions {
  chosen: readonly ServiceDefinition[];
  /** The configuration file, watched for changes; `undefined` without one. */
  path: string | undefined;
  readConfig(): Config;
}

/** Runs services until the process is asked to stop. Resolves when they serve and the greeting is printed. */
export async function serve(options: ServeOptions): Promise<void> {
  const { known, chosen, config, env, path } = options;
  const names = chosen.map(({ name }) => name);
  const name = chosen.length === known.length ? 'ragmesh' : names.join('+');
  const { log, telemetry } = await startProcessTelemetry(config, name, env);
  const host = await startHost({ services: chosen, known, config, env, log, version, tracing: telemetry.recording });
  await telemetry.attach(host.metrics.registry);
  const unwatch =
    path === undefined
      ? () => {}
      : watchConfig({ path, load: options.readConfig, apply: (next) => host.reconfigure(next), log });
  onStop(async (signal) => {
    log.info({ event: 'draining', signal }, 'draining');
    unwatch();
    await host.close();
    await telemetry.close();
  });
  log.info({ event: 'serving', services: names, grpcPort: host.grpcPort, adminPort: host.adminPort }, 'serving');
  const startMs = performance.now();
  const sample = chosen.length === known.length ? await loadFirstSample(host) : undefined;
  process.stdout.write(`${greetingOf({ host, config, known, chosen, startMs, sample }).join('\n')}\n`);
}

/** Loads the sample for the development keys, if there are any, with a status line. */
async function loadFirstSample(host: Host): Promise<SampleResult | undefined> {
  return edgeOf(host)?.devKeys === undefined ? undefined : withStatus(() => loadSample(host));
}

async function withStatus<T>(load: () => Promise<T>): Promise<T> {
  const status = createStatusLine(process.stderr);
  status.show('loading the sample knowledge base …');
  try {
    return await load();
  } finally {
    status.clear();
  }
}

/**
 * Runs services as a group of processes until this one is asked to stop: an owner and `workerCount` workers, each started from `program` with `command`.
 * Resolves when they serve and the greeting is printed.
 */
export async function serveGroup(
  options: ServeOptions & { workerCount: number; program: string; command: string },
): Promise<void> {
  const { known, chosen, config, env, path, workerCount, program, command } = options;
  throwProblems(checkServices(config, chosen, known));
  const { log, telemetry } = await startProcessTelemetry(config, 'ragmesh', env);
  const services = chosen.map(({ name }) => name);
  const startedAt = performance.now();
  const group = await startGroup({ program, args: [command], workerCount, services, config, log });
  const unwatch =
    path === undefined
      ? () => {}
      : watchConfig({ path, load: options.readConfig, apply: (next) => group.reconfigure(next), log });
  onStop(async (signal) => {
    log.info({ event: 'draining', signal }, 'draining');
    unwatch();
    await group.close();
    await telemetry.close();
  });
  const { adminPort, serving } = group;
  const { edge, grpcPort } = serving;
  log.info({ event: 'serving', services, workerCount, grpcPort, adminPort }, 'serving');
  const hasSample = chosen.length === known.length && edge?.devKeys !== undefined;
  const sample = hasSample ? await withStatus(() => group.loadSample()) : undefined;
  const readiness = await group.readiness();
  const host = {
    grpcPort,
    adminPort,
    readiness: () => readiness,
    running: (name: string) => (name === 'edge' ? (edge as unknown as ReturnType<Host['running']>) : undefined),
  };
  const startMs = performance.now() - startedAt;
  process.stdout.write(`${greetingOf({ host, config, known, chosen, startMs, sample, workerCount }).join('\n')}\n`);
}

function onStop(stop: (signal: string) => Promise<void>): void {
  const run = async (signal: string) => {
    await stop(signal);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void run(signal));
}

function edgeOf(host: Host): RunningEdge | undefined {
  return host.running('edge') as unknown as RunningEdge | undefined;
}

/** Starts the whole mesh on free ports, for a command that found no server. */
export async function startQuietMesh(options: ProcessOptions): Promise<{ edgePort: number; close(): Promise<void> }> {
  const { known, config, env } = options;
  const quiet = clone(ConfigSchema, config);
  quiet.grpc ??= create(GrpcConfigSchema);
  quiet.admin ??= create(AdminConfigSchema);
  quiet.edge ??= create(EdgeConfigSchema);
  for (const server of [quiet.grpc, quiet.admin, quiet.edge]) Object.assign(server, { host: '127.0.0.1', port: 0 });
  const { log, telemetry } = await startProcessTelemetry(config, 'ragmesh', env, 'warn');
  const host = await startHost({
    services: known,
    known,
    config: quiet,
    env,
    log,
    version,
    tracing: telemetry.recording,
  });
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
