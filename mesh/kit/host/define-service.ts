import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics/metrics.ts';
import type { ServiceHandlers } from '../rpc/handlers.ts';
import type { TokenSigner } from '../rpc/identity.ts';
import type { Invocable } from '../rpc/invoke.ts';
import type { Clients, Needs, OptionalClients } from '../rpc/needs.ts';
import type { ConnectedPort } from '../rpc/pipe/ports.ts';
import type { Database, Migrations } from '../storage/database.ts';
import type { TableCopy } from '../storage/move/copy-tables.ts';
import type { PostgresPool } from '../storage/postgres/pool.ts';
import type { Env } from './config/config.ts';
import type { ConfigInForce } from './config/config-in-force.ts';
import type { Deployment } from './deployment.ts';
import type { ReadinessCheck } from './readiness.ts';

/** A contract with public methods, and a client of the service that has it. */
export interface Published {
  /** Name of the service. */
  readonly service: string;
  readonly contract: DescService;
  /** Has the public methods. Its calls end UNAVAILABLE, with the name of the service, if this process cannot reach the service. */
  readonly client: object;
}

/** What a service is given. It takes nothing else from its surroundings: no env, clock, randomness or global. */
export interface ServiceDeps<Settings, N extends Needs, O extends Needs = Needs, State = undefined> {
  /** Its state that all processes of a group share; see {@link ServiceDefinition.state}. */
  state: State;
  /** Whether other processes use the same state. */
  isStateShared: boolean;
  /** Its settings, checked and frozen. */
  config: Settings;
  /** The whole configuration; only the edge needs it, because it serves the settings of other services. */
  wholeConfig: Config;
  /** Returns the whole configuration that the process runs with now, for those who ask what is in force. */
  configInForce(): ConfigInForce;
  /** Clients of its needs. */
  clients: Clients<N>;
  /** Clients of its optional needs, each created when it is first needed. */
  optionalClients: OptionalClients<O>;
  /** Every contract of the mesh with public methods, for a service with `servesPublic`; empty for others. */
  published: readonly Published[];
  log: Logger;
  metrics: Metrics;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  /**
   * Makes `untilChanged` of the service's front ask again for `name`, in all workers of the group. Call it after the change and before the
   * change is acknowledged. Does nothing in a process without workers.
   */
  countChange(name: string): void;
  /** Folder for its embedded state; exists. Other processes may use it too, until `lockDataDir`. */
  dataDir: string;
  /**
   * Locks the folder for this process until the service has closed; does nothing if it is locked already. For embedded state that one
   * process owns. Throws an error that says what to do if another process has it.
   */
  lockDataDir(): Promise<void>;
  /**
   * Opens durable records: tables of the service's schema in PostgreSQL if `storage.database` is set, otherwise the file
   * `<dataDir>/<name>.db`, with the folder locked. Closed by the kit after the service.
   */
  openDatabase<Schema>(name: string, migrations: Migrations): Promise<Database<Schema>>;
  /** The connections to PostgreSQL, for adapters with SQL of their own; `undefined` if `storage.database` is not set. */
  postgres: PostgresPool | undefined;
  /** Makes tokens for principals; `undefined` in a process without the private key. */
  signer: TokenSigner | undefined;
  /** Environment variables; for adapters that look for keys. */
  env: Env;
}

/** Contracts that a service serves, each for one kind of caller. */
export type Contracts = readonly DescService[];

type Take<Desc> = Desc extends DescService ? (impl: ServiceHandlers<Desc>) => void : never;

/** The rpcs of all contracts of a service, in one object. Two contracts of one service have no rpc of the same name. */
export type Rpcs<C extends Contracts> = Take<C[number]> extends (impl: infer Impl) => void ? Partial<Impl> : never;

/** A running service. */
export interface RunningService<C extends Contracts = Contracts, Settings = unknown> {
  /** Its rpcs. */
  impl: Rpcs<C>;
  /**
   * What it cannot serve without, beyond its databases, which the kit checks. The checks run in the background, bounded in time.
   * @default its databases only
   */
  readiness?: readonly ReadinessCheck[];
  /**
   * Functions for the `front` of the service in the workers of a group; arguments and results are what `structuredClone` can carry.
   * @default none
   */
  frontPort?: object;
  /**
   * Methods for callers of the gRPC port whose credentials are no tokens of the mesh; they authenticate them. @default none
   */
  callers?: readonly Invocable[];
  /** Finishes accepted work: called once on shutdown, after new calls are refused, within the grace period. */
  drain?(signal: AbortSignal): Promise<void>;
  /**
   * Takes new settings while it runs: new calls begin with them, calls in flight end with the old ones. Rejects if it cannot take them,
   * and continues with the old ones. @default the settings change with a restart only
   */
  reconfigure?(settings: Settings): Promise<void>;
  /** Frees everything. Called once, last. */
  close(): Promise<void>;
}

/**
 * The processes of a group (`--workers`) that run a service: the `owner`, which is one; the `workers`, which face the clients; or
 * `everywhere`.
 */
export type Place = 'owner' | 'workers' | 'everywhere';

/** What the state of a service is created with. */
export interface StateDeps<Settings>
  extends Pick<
    ServiceDeps<Settings, Needs>,
    'config' | 'clock' | 'random' | 'log' | 'metrics' | 'env' | 'dataDir' | 'openDatabase'
  > {
  /** Whether processes of a group use it, and not only the one that creates it. */
  isShared: boolean;
}

/** The state of a service that all processes of a group share. */
export interface SharedState<State> {
  /** Returns the state for one process. */
  connect(): ConnectedPort<State>;
  /** What the service cannot serve without because of its state. @default its databases only */
  readiness?: readonly ReadinessCheck[];
  close(): Promise<void>;
}

/** What {@link ServiceDefinition.move} is given. */
export interface MoveDeps<Settings> {
  /** The settings of the service with the new storage. */
  config: Settings;
  /** The folder of the service's embedded state. No process runs over it. */
  folder: string;
  /** The target. */
  pool: PostgresPool;
  /** Copies the records `<folder>/<name>.db`, if there are any. */
  copyRecords(name: string, migrations: Migrations): Promise<void>;
  /** Copies the tables of another file. */
  copyTables(tables: Omit<TableCopy, 'pool'>): Promise<void>;
  /** Runs a step that can be repeated, unless an earlier move has finished it. `onRows` reports its progress. */
  once(step: string, work: (onRows: (count: number) => void) => Promise<void>): Promise<void>;
}

/** What the front of a service is given. */
export interface FrontDeps<Settings>
  extends Pick<ServiceDeps<Settings, Needs>, 'config' | 'clock' | 'log' | 'metrics'> {
  /** Returns a client of the service in the owner. */
  ownerClient<Desc extends DescService>(contract: Desc): Client<Desc>;
  /** The `frontPort` of the service in the owner. */
  port: object;
  /**
   * Returns `ask` with a memory: its result for a name is returned again, without a call, until the service in the owner calls
   * `countChange` with the name.
   */
  untilChanged<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T>;
}

/** Returns whether durable records are in PostgreSQL, which processes share. */
export function usesPostgres({ storage }: Config): boolean {
  return Boolean(storage?.database);
}

/** A service: data, and one function. Topology, clients and policies derive from the data. */
export interface ServiceDefinition<
  C extends Contracts = Contracts,
  Settings = unknown,
  N extends Needs = Needs,
  O extends Needs = Needs,
  State = unknown,
> {
  /** Its folder under `services/`. */
  name: string;
  /** Its contracts; none for the edge, which serves those of other services. */
  contracts: C;
  /** Its settings from the configuration; throws ConfigError. */
  config(config: Config): Settings;
  /** What it calls: contracts, and the rpcs of each. */
  needs: N;
  /** What it calls only if its settings require it; a process without an address for it starts nevertheless. */
  optionalNeeds?: O;
  /**
   * Whether it serves the public methods of every service, as the edge does: it gets `published`, starts after all others, and does not
   * need any of them to start. @default false
   */
  servesPublic?: boolean;
  /** Returns the processes of a group that run the service. @default 'owner' */
  place?(config: Config): Place;
  /**
   * Creates the state that all processes of a group share, in one of them. Methods of the state return promises; their arguments and
   * results are what `structuredClone` can carry. @default none
   */
  state?(deps: StateDeps<Settings>): Promise<SharedState<State>>;
  /**
   * Returns whether the state is in servers that processes share anyway, so that each process creates its own access to it.
   * @default false: the owner of a group has the state
   */
  isStateExternal?(config: Config): boolean;
  /**
   * Creates what workers run of a service that is in the owner: some of its rpcs, answered from what the owner's answers were. The others
   * are the owner's. @default none
   */
  front?(deps: FrontDeps<Settings>): Promise<RunningService<C>>;
  /**
   * Creates what admits callers with credentials of their own at the gRPC port (`grpc.admit_credentials`) of a process in which the service
   * itself does not run. @default the service admits none
   */
  admission?(deps: ServiceDeps<Settings, N, O, State>): Promise<RunningService<C>>;
  /** How it is deployed. @default the defaults of {@link Deployment} */
  deployment?: Deployment;
  /** Moves the service's embedded records to PostgreSQL. @default it has none */
  move?(deps: MoveDeps<Settings>): Promise<void>;
  create(deps: ServiceDeps<Settings, N, O, State>): Promise<RunningService<C>>;
}

/** Declares a service; gives its `create` the types. */
export function defineService<
  const C extends Contracts,
  Settings,
  const N extends Needs,
  const O extends Needs = Needs,
  State = undefined,
>(definition: ServiceDefinition<C, Settings, N, O, State>): ServiceDefinition<C, Settings, N, O, State> {
  return definition;
}
