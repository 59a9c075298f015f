import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import type { ServiceHandlers } from '../rpc/handlers.ts';
import type { TokenSigner } from '../rpc/identity.ts';
import type { Database } from '../storage/database.ts';
import type { Env } from './config/config.ts';

/** Contracts that a service calls, by the name under which it gets their clients. */
export type Needs = Record<string, DescService>;

/** Typed clients of a service's needs. */
export type Clients<N extends Needs> = { [K in keyof N]: Client<N[K]> };

/** Makers of clients of a service's optional needs. Each throws ConfigError where the mesh has no such service for this process. */
export type OptionalClients<O extends Needs> = { [K in keyof O]: () => Client<O[K]> };

/** What a service is given. It takes nothing else from its surroundings: no env, clock, randomness or global. */
export interface ServiceDeps<Settings, N extends Needs, O extends Needs = Needs> {
  /** Its settings, checked and frozen. */
  config: Settings;
  /** The whole configuration; only the edge, which serves others' settings, has a use for it. */
  wholeConfig: Config;
  /** Clients of its needs. */
  clients: Clients<N>;
  /** Clients of its optional needs, each made when asked for. */
  optionalClients: OptionalClients<O>;
  log: Logger;
  metrics: Metrics;
  /** Now, in milliseconds since 1970. */
  clock: () => number;
  /** A number from 0 up to 1. */
  random: () => number;
  /** Folder for its embedded state; exists. */
  dataDir: string;
  /** Opens a durable record store `<dataDir>/<name>.db`. Closed by the kit after the service. */
  openDatabase<Schema>(name: string, migrations: readonly string[]): Promise<Database<Schema>>;
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
  /** Why it can't serve now; `undefined` where it can. Asked by readiness; must be cheap. @default always ready */
  notReady?(): string | undefined;
  /**
   * Lets go of work that was accepted: called once on shutdown, after new calls are refused, within the grace period.
   */
  drain?(signal: AbortSignal): Promise<void>;
  /**
   * Takes new settings while it runs: from then on calls begin with them, and those under way end with the old ones. Rejects where it
   * cannot take them, and goes on as before. @default the settings change with a restart only
   */
  reconfigure?(settings: Settings): Promise<void>;
  /** Frees everything. Called once, last. */
  close(): Promise<void>;
}

/** A service: data, and one function. Topology, clients and policies derive from the data. */
export interface ServiceDefinition<
  C extends Contracts = Contracts,
  Settings = unknown,
  N extends Needs = Needs,
  O extends Needs = Needs,
> {
  /** Its folder under `services/`. */
  name: string;
  /** Its contracts; none for the edge, which serves those of other services. */
  contracts: C;
  /** Its settings from the configuration; throws ConfigError. */
  config(config: Config): Settings;
  /** Contracts that it calls. */
  needs: N;
  /** Contracts that it calls only where its settings ask for it; a process without an address for them starts all the same. */
  optionalNeeds?: O;
  create(deps: ServiceDeps<Settings, N, O>): Promise<RunningService<C>>;
}

/** Declares a service; gives its `create` the types. */
export function defineService<
  const C extends Contracts,
  Settings,
  const N extends Needs,
  const O extends Needs = Needs,
>(definition: ServiceDefinition<C, Settings, N, O>): ServiceDefinition<C, Settings, N, O> {
  return definition;
}
