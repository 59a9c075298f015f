import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { Health } from '#gen/health/v1/health_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type Config, GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { throwProblems } from '../base/config-error.ts';
import { rpcError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics, type Metrics } from '../base/metrics/metrics.ts';
import { patchGrpc } from '../rpc/grpc/patches.ts';
import { readGrpcTls } from '../rpc/grpc/tls.ts';
import { createTokenSigner, createTokenVerifier, type TokenSigner, warmUpTokens } from '../rpc/identity.ts';
import { loadIdentityKeys } from '../rpc/identity-keys.ts';
import { breakerObserver, clientObserver } from '../rpc/interceptors/metrics.ts';
import type { Invocable } from '../rpc/invoke.ts';
import { createPipeTransport } from '../rpc/pipe/client.ts';
import { readEncryption } from '../storage/encryption/settings.ts';
import { unlockFolder } from '../storage/encryption/unlock.ts';
import { openPostgres } from '../storage/postgres/pool.ts';
import { readStorage } from '../storage/postgres/settings.ts';
import { checkServices } from './config/check-config.ts';
import type { Env } from './config/config.ts';
import { holdConfig } from './config/config-in-force.ts';
import type { RunningService, ServiceDefinition } from './define-service.ts';
import { createFaces, type Faces } from './faces.ts';
import { createHealth, type HealthNames } from './health.ts';
import { registerDiskMetrics } from './metrics/disk-metrics.ts';
import { registerStateMetrics } from './metrics/state-metrics.ts';
import { createReach } from './reach.ts';
import { createReadinessMonitor, type ReadinessMonitor, type ReadinessReport } from './readiness.ts';
import { createReflection } from './reflection.ts';
import { admitCredentials } from './start/admit-credentials.ts';
import { openGroupChanges } from './start/group-changes.ts';
import { divide, type GroupPart } from './start/group-part.ts';
import { createReconfigure } from './start/reconfigure.ts';
import { openServers } from './start/servers.ts';
import { startServices } from './start/start-services.ts';

/** What a process of the mesh runs, and with what. */
export interface HostOptions {
  /** Services to run here. */
  services: readonly ServiceDefinition[];
  /** Every service of the mesh; those not run here are reached by their address in the configuration. */
  known: readonly ServiceDefinition[];
  config: Config;
  env: Env;
  log: Logger;
  clock?: () => number;
  random?: () => number;
  /** Whether spans are recorded. @default false */
  tracing?: boolean;
  /** Time between two rounds of readiness checks, in milliseconds. @default 2000 */
  readinessIntervalMs?: number;
  /** Version of the program. @default "unknown" */
  version?: string;
  /** The part of this process in a group. @default it is a process of its own */
  group?: GroupPart;
}

/** A running process of the mesh. */
export interface Host {
  /** Port of the gRPC face; 0 in the owner of a group, which has none. */
  grpcPort: number;
  /** Port of the admin face; 0 in a member of a group, which has none. */
  adminPort: number;
  metrics: Metrics;
  /** Calls to services of this process, without a network. */
  local: Transport;
  /** What this process serves on the network, for a second mount. */
  methods: readonly Invocable[];
  /** Makes tokens; `undefined` without the private key. */
  signer: TokenSigner | undefined;
  /** Returns a service that runs here, by name; for faces beside gRPC. */
  running(name: string): RunningService | undefined;
  /** Returns what the last readiness checks of each service found. */
  readiness(): ReadinessReport[];
  /**
   * Passes a new configuration to the services that can take one while they run. All of them take it or none does: rejects with
   * what is wrong, and the old configuration stays in force.
   */
  reconfigure(config: Config): Promise<void>;
  /**
   * Stops: the process is not ready, and after `grpc.drain_delay_ms` new calls are refused, calls in flight finish within the grace period,
   * then services close in reverse order.
   */
  close(): Promise<void>;
}

/** Time after the grace period for errors to reach their clients, in milliseconds. */
const lastErrorsMs = 500;

/** Starts a process of the mesh: services in the order of their needs, behind gRPC, with local calls among themselves. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { config, services, known, log, clock = Date.now, random = Math.random } = options;
  throwProblems(checkServices(config, services, known));
  const { dataDir } = config;
  const grpc = config.grpc ?? create(GrpcConfigSchema);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await unlockFolder(dataDir, readEncryption(config.storage?.encryption), true);
  patchGrpc({ enabled: grpc.patches, log });
  const tls = grpc.tls && readGrpcTls(grpc.tls, log);
  const metrics = createMetrics(config.telemetry?.metricTenants);
  const keys = loadIdentityKeys(config.identity, dataDir);
  const signer = keys.privateKey && createTokenSigner(keys.privateKey, clock);
  const verifier = createTokenVerifier(keys, clock);
  const faces = createFaces({
    log,
    metrics,
    verifier,
    maxConcurrent: grpc.maxConcurrent,
    tracing: options.tracing ?? false,
  });
  const parts = divide(services, config, options.group);
  const owner = options.group?.role === 'worker' ? options.group.owner : undefined;
  const reach = createReach({
    services: parts.running,
    known,
    addresses: config.addresses,
    owner: owner && { services: parts.inOwner, transport: createPipeTransport(owner) },
    local: faces.local,
    isLocal: faces.isMounted,
    maxMessageBytes: grpc.maxMessageBytes,
    tls,
    tracing: options.tracing ?? false,
    retries: grpc.retries,
    onBreaker: breakerObserver(metrics, log),
    onEnd: clientObserver(metrics),
  });
  const readiness = createReadinessMonitor(log, options.readinessIntervalMs);
  registerStateMetrics(metrics.registry, options.version ?? 'unknown', readiness.reports);
  registerDiskMetrics(metrics.registry, dataDir);
  const storage = readStorage(config.storage);
  if (storage !== undefined && !config.identity?.privateKey && !config.identity?.publicKey) {
    const advice = 'set identity.private_key in every process that is to accept calls of this one';
    log.warn({ event: 'identity_not_shared', file: join(dataDir, 'identity.pem'), advice }, 'signing key not shared');
  }
  const onCircuit = (isOpen: boolean) => metrics.breakerState.set({ dependency: 'database' }, isOpen ? 2 : 0);
  const postgres = storage && (await openPostgres(storage, log, onCircuit));
  const { configInForce, takeConfig } = holdConfig(config);
  const shared = { config, known, log, metrics, clock, random, signer, env: options.env, postgres, configInForce };
  const part = { owner, isOwner: options.group?.role === 'owner', changes: openGroupChanges(options.group) };
  const started = await startServices(parts, { ...shared, ...part, dataDir, faces, reach, readiness }).catch(
    async (error: unknown) => {
      await postgres?.close();
      throw error;
    },
  );
  const stop = async () => {
    readiness.close();
    await started.close();
    await postgres?.close();
  };
  try {
    if (signer !== undefined) await warmUpTokens(signer, verifier);
    await readiness.start();
    mountOpenContracts(faces, services, readiness);
    const { running, admission } = started;
    const reloaded = new Map(running);
    if (admission !== undefined) reloaded.set(admission.definition.name, admission.service);
    const network = grpc.admitCredentials
      ? admitCredentials(
          faces.network,
          [...reloaded.values()].flatMap(({ callers = [] }) => callers),
          verifier,
        )
      : faces.network;
    const servers = await openServers(options, grpc, tls, { ...faces, network }, started.ports, readiness, metrics);
    const close = async () => {
      readiness.drain();
      // Clients of an owner are its workers, which have waited.
      if (options.group?.role !== 'owner') await sleep(grpc.drainDelayMs);
      const signal = AbortSignal.timeout(grpc.drainMs);
      // Calls that still run when the grace period ends get an error, and time to send it to their clients.
      signal.addEventListener('abort', () => faces.abortCalls(notServing()));
      const drains = [...running.values()].map((service) => service.drain?.(signal));
      await Promise.allSettled([...drains, servers.drain(grpc.drainMs + lastErrorsMs)]);
      await servers.close();
      await stop();
    };
    let closing: Promise<void> | undefined;
    return {
      grpcPort: servers.grpcPort,
      adminPort: servers.adminPort,
      metrics,
      local: faces.local,
      methods: faces.network,
      signer,
      readiness: readiness.reports,
      running: (name) => running.get(name),
      reconfigure: createReconfigure(
        admission === undefined ? parts.running : [...parts.running, admission.definition],
        reloaded,
        { signer, verifier },
        config,
        log,
        takeConfig,
      ),
      close: () => {
        closing ??= close();
        return closing;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Mounts health and reflection. The names of health are contracts; a service without one is known by its own name. */
function mountOpenContracts(faces: Faces, services: readonly ServiceDefinition[], readiness: ReadinessMonitor): void {
  const names: HealthNames = new Map(
    services.flatMap(({ name, contracts }) => {
      const contractNames = contracts.map(({ typeName }) => typeName);
      const notReady = () => readiness.reportOf(name).notReady;
      return (contractNames.length === 0 ? [name] : contractNames).map((each) => [each, notReady] as const);
    }),
  );
  const reflection = createReflection([...services.flatMap(({ contracts }) => contracts), Health]);
  faces.mountOpen(Health, createHealth(names));
  faces.mountOpen(ServerReflection, reflection.v1);
  faces.mountOpen(ServerReflectionAlpha, reflection.v1alpha);
}

function notServing() {
  const message = 'the process is shutting down: try again, another replica will answer';
  return rpcError(Code.Unavailable, ErrorReason.NOT_SERVING, message);
}
