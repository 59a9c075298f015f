import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { create, type DescMethod, type DescService } from '@bufbuild/protobuf';
import { Code, type Transport } from '@connectrpc/connect';
import { ServerReflection } from '#gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '#gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { Health } from '#gen/health/v1/health_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { AdminConfigSchema, type Config, GrpcConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError, throwProblems } from '../base/config-error.ts';
import { rpcError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { createMetrics, type Metrics } from '../base/metrics.ts';
import { createClient } from '../rpc/client.ts';
import { createGrpcTransport, type GrpcTransport } from '../rpc/grpc/client.ts';
import { patchGrpc } from '../rpc/grpc/patches.ts';
import { startGrpcServer } from '../rpc/grpc/server.ts';
import { createTokenSigner, createTokenVerifier, loadIdentityKeys, type TokenSigner } from '../rpc/identity.ts';
import { concurrencyObserver } from '../rpc/interceptors/concurrency.ts';
import { identityInterceptor } from '../rpc/interceptors/identity.ts';
import { loggingObserver } from '../rpc/interceptors/logging.ts';
import { metricsObserver } from '../rpc/interceptors/metrics.ts';
import { observing } from '../rpc/interceptors/observe.ts';
import { tracingInterceptor } from '../rpc/interceptors/tracing.ts';
import { validationInterceptor } from '../rpc/interceptors/validation.ts';
import { createInvocable, type Interceptor, type Invocable } from '../rpc/invoke.ts';
import { createLocalTransport } from '../rpc/local/mount.ts';
import type { ServerCall } from '../rpc/server-call.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { lockFolder } from '../storage/folder-lock.ts';
import { createSqliteThread, type SqliteConnection } from '../storage/sqlite/thread.ts';
import { startAdmin } from './admin.ts';
import { checkServices } from './config/check-config.ts';
import type { Env } from './config/config.ts';
import type { Clients, Needs, OptionalClients, RunningService, ServiceDefinition } from './define-service.ts';
import { createHealth } from './health.ts';
import { createReconfigure } from './reconfigure.ts';
import { createReflection } from './reflection.ts';

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
}

/** A process of the mesh under way. */
export interface Host {
  /** Port of the gRPC face. */
  grpcPort: number;
  /** Port of the admin face. */
  adminPort: number;
  metrics: Metrics;
  /** Calls to services of this process, without a network. */
  local: Transport;
  /** What this process serves on the network, for a second mount. */
  methods: readonly Invocable[];
  /** Makes tokens; `undefined` without the private key. */
  signer: TokenSigner | undefined;
  /** A service that runs here, by name; for faces beside gRPC. */
  running(name: string): RunningService | undefined;
  /**
   * Hands a new configuration to the services that can take one while they run. All of them take it or none does: rejects with
   * what is wrong, and everything goes on as before.
   */
  reconfigure(config: Config): Promise<void>;
  /**
   * Stops: new calls are refused, those under way finish within the grace period, then services close in reverse order.
   */
  close(): Promise<void>;
}

/** Time after the grace period for errors to reach their clients, in milliseconds. */
const lastWordMs = 500;

function notServing() {
  const message = 'the process is shutting down: try again, another replica will answer';
  return rpcError(Code.Unavailable, ErrorReason.NOT_SERVING, message);
}

/** Starts a process of the mesh: services in the order of their needs, behind gRPC, with local calls among themselves. */
export async function startHost(options: HostOptions): Promise<Host> {
  const { config, log, clock = Date.now, random = Math.random } = options;
  throwProblems(checkServices(config, options.services, options.known));
  const { dataDir } = config;
  const grpc = config.grpc ?? create(GrpcConfigSchema);
  const adminConfig = config.admin ?? create(AdminConfigSchema);
  mkdirSync(dataDir, { recursive: true });
  patchGrpc({ enabled: grpc.patches, log });
  const metrics = createMetrics();
  const keys = loadIdentityKeys(config.identity, dataDir);
  const signer = keys.privateKey && createTokenSigner(keys.privateKey, clock);
  const verifier = createTokenVerifier(keys.publicKey, clock);
  const records = createSqliteThread();
  const methods = new Map<DescMethod, Invocable>();
  const networkMethods: Invocable[] = [];
  const readiness = new Map<string, () => string | undefined>();
  const running = new Map<string, RunningService>();
  const databases: Database<unknown>[] = [];
  const remote: GrpcTransport[] = [];
  const locks: SqliteConnection[] = [];
  let draining = false;
  const callsByService: Set<ServerCall>[] = [];
  metrics.countCallsWith(() => callsByService.reduce((sum, calls) => sum + calls.size, 0));
  const underWay = () => {
    const calls = new Set<ServerCall>();
    callsByService.push(calls);
    return calls;
  };

  const common = (calls: Set<ServerCall>, maxConcurrent: number): Interceptor[] => [
    observing([metricsObserver(metrics), loggingObserver(log), concurrencyObserver(maxConcurrent, calls)]),
    identityInterceptor(verifier),
    validationInterceptor(),
  ];
  const mount = (contract: DescService, impl: object, interceptors: readonly Interceptor[]) => {
    for (const method of contract.methods) {
      const handler = (impl as Record<string, unknown>)[method.localName];
      const bound = (handler as ((...args: unknown[]) => unknown) | undefined)?.bind(impl);
      networkMethods.push(createInvocable(method, bound, interceptors));
      const local = options.tracing ? [tracingInterceptor(), ...interceptors] : interceptors;
      methods.set(method, createInvocable(method, bound, local));
    }
  };
  const local = createLocalTransport(methods);
  const transportTo = (contract: DescService): Transport => {
    const definition = options.known.find((known) => known.contracts.includes(contract));
    if (definition === undefined) throw new Error(`no service has the contract ${contract.typeName}`);
    if (options.services.includes(definition)) return local;
    const address = config.addresses[definition.name];
    if (address === undefined) {
      throw new ConfigError(
        `addresses.${definition.name}`,
        `is missing: "${definition.name}" does not run in this process`,
      );
    }
    const transport = createGrpcTransport({
      address,
      methods: contract.methods,
      maxMessageBytes: grpc.maxMessageBytes,
    });
    remote.push(transport);
    return transport;
  };
  const clientsOf = (needs: Needs): Clients<Needs> =>
    Object.fromEntries(
      Object.entries(needs).map(([name, contract]) => [name, createClient(contract, transportTo(contract))]),
    ) as Clients<Needs>;
  const optionalClientsOf = (needs: Needs): OptionalClients<Needs> =>
    Object.fromEntries(
      Object.entries(needs).map(([name, contract]) => [name, () => createClient(contract, transportTo(contract))]),
    ) as OptionalClients<Needs>;

  const stop = async () => {
    for (const [, service] of [...running].reverse()) await service.close();
    for (const database of databases) await database.destroy();
    for (const transport of remote) transport.close();
    for (const lock of locks) await lock.close();
    await records.close();
  };

  try {
    for (const definition of inOrderOfNeeds(options.services)) {
      checkRpcNames(definition);
      const folder = join(dataDir, definition.name);
      mkdirSync(folder, { recursive: true });
      locks.push(await lockFolder(records, folder, definition.name));
      const service = (await definition.create({
        config: definition.config(config),
        wholeConfig: config,
        clients: clientsOf(definition.needs),
        optionalClients: optionalClientsOf(definition.optionalNeeds ?? {}),
        log: log.child({ service: definition.name }),
        metrics,
        clock,
        random,
        dataDir: folder,
        openDatabase: async <Schema>(name: string, migrations: readonly string[]) => {
          const database = await openDatabase<Schema>(records, join(folder, `${name}.db`), migrations);
          databases.push(database as Database<unknown>);
          return database;
        },
        signer,
        env: options.env,
      })) as RunningService;
      running.set(definition.name, service);
      const names = definition.contracts.map(({ typeName }) => typeName);
      for (const name of names.length === 0 ? [definition.name] : names) {
        readiness.set(name, () => (draining ? 'draining' : service.notReady?.()));
      }
      const interceptors = common(underWay(), grpc.maxConcurrent);
      for (const contract of definition.contracts) mount(contract, service.impl, interceptors);
    }
    const contracts = options.services.flatMap((service) => service.contracts);
    const reflection = createReflection([...contracts, Health]);
    mount(Health, createHealth(readiness), []);
    mount(ServerReflection, reflection.v1, []);
    mount(ServerReflectionAlpha, reflection.v1alpha, []);
    const grpcServer = await startGrpcServer({
      host: grpc.host,
      port: grpc.port,
      methods: networkMethods,
      maxMessageBytes: grpc.maxMessageBytes,
    });
    const admin = await startAdmin(adminConfig.host, adminConfig.port, readiness, metrics).catch(async (error) => {
      await grpcServer.drain(0);
      throw error;
    });
    const graceMs = grpc.drainMs;
    let closing: Promise<void> | undefined;
    const close = async () => {
      draining = true;
      const signal = AbortSignal.timeout(graceMs);
      // What still runs when the grace period ends is told why, and given a moment to say so to its client.
      signal.addEventListener('abort', () => {
        for (const call of callsByService.flatMap((calls) => [...calls])) call.abort(notServing());
      });
      const drains = [...running.values()].map((service) => service.drain?.(signal));
      await Promise.allSettled([...drains, grpcServer.drain(graceMs + lastWordMs)]);
      await admin.close();
      await stop();
    };
    return {
      grpcPort: grpcServer.port,
      adminPort: admin.port,
      metrics,
      local,
      methods: networkMethods,
      signer,
      running: (name) => running.get(name),
      reconfigure: createReconfigure(options.services, running, config, log),
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

// All contracts of a service share one implementation object.
function checkRpcNames({ name, contracts }: ServiceDefinition): void {
  const seen = new Set<string>();
  for (const method of contracts.flatMap(({ methods }) => methods)) {
    if (seen.has(method.localName)) throw new Error(`two contracts of ${name} have an rpc ${method.name}: rename one`);
    seen.add(method.localName);
  }
}

/** Services so that each comes after those that it needs. Throws where two need each other. */
export function inOrderOfNeeds(services: readonly ServiceDefinition[]): ServiceDefinition[] {
  const ordered: ServiceDefinition[] = [];
  const visiting = new Set<ServiceDefinition>();
  const visit = (service: ServiceDefinition) => {
    if (ordered.includes(service)) return;
    if (visiting.has(service)) throw new Error(`the needs of ${service.name} lead back to itself`);
    visiting.add(service);
    for (const contract of Object.values({ ...service.needs, ...service.optionalNeeds })) {
      const needed = services.find((candidate) => candidate.contracts.includes(contract));
      if (needed !== undefined) visit(needed);
    }
    visiting.delete(service);
    ordered.push(service);
  };
  for (const service of services) visit(service);
  return ordered;
}
