import type { DescService } from '@bufbuild/protobuf';
import type { Config } from '#gen/ragmesh/config/v1/config_pb.ts';
import { unavailable } from '../../base/errors.ts';
import { createClient } from '../../rpc/client.ts';
import type { PipeConnection } from '../../rpc/pipe/connection.ts';
import { type ConnectedPort, remotePort } from '../../rpc/pipe/ports.ts';
import type { RunningService, ServiceDefinition, ServiceDeps } from '../define-service.ts';
import type { Faces } from '../faces.ts';
import type { Reach } from '../reach.ts';
import type { ReadinessCheck, ReadinessMonitor } from '../readiness.ts';
import type { GroupChanges } from './group-changes.ts';
import type { Parts } from './group-part.ts';
import { checkRpcNames, inOrderOfNeeds } from './order.ts';
import { createProcessRecords } from './service-records.ts';

/** What services are started with. */
export interface StartDeps
  extends Pick<
    ServiceDeps<unknown, never>,
    'log' | 'metrics' | 'clock' | 'random' | 'signer' | 'env' | 'postgres' | 'configInForce'
  > {
  config: Config;
  /** Every service of the mesh. */
  known: readonly ServiceDefinition[];
  /** Folder of the process; each service has one of its own in it. */
  dataDir: string;
  faces: Faces;
  reach: Reach;
  readiness: ReadinessMonitor;
  /** The connection of a worker to the owner of its group. */
  owner: PipeConnection | undefined;
  /** Whether other processes of a group use the state of this one. */
  isOwner: boolean;
  /** What has changed in the owner of the group. */
  changes: GroupChanges;
}

/** The running services of a process. */
export interface StartedServices {
  /** By name, in the order in which they have started. */
  running: ReadonlyMap<string, RunningService>;
  /** What admits callers with credentials of their own at the gRPC port; `undefined`: the port takes tokens of the mesh only. */
  admission: Admission | undefined;
  /** What the workers of a group may call here, by name. */
  ports: ReadonlyMap<string, () => ConnectedPort<object>>;
  /** Closes services in reverse order, then their state, databases, connections and locks. */
  close(): Promise<void>;
}

/** A service that admits callers, which does not run in this process itself. */
export interface Admission {
  definition: ServiceDefinition;
  service: RunningService;
}

/**
 * Starts services in the order of their needs and mounts their contracts. Throws if one cannot start; those that have started are closed
 * then.
 */
export async function startServices(
  { running: services, stateOnly, inOwner }: Parts,
  { config, known, dataDir, faces, reach, readiness, owner, isOwner, changes, ...shared }: StartDeps,
): Promise<StartedServices> {
  const records = createProcessRecords(dataDir, shared.postgres, shared.log);
  const running = new Map<string, RunningService>();
  const ports = new Map<string, () => ConnectedPort<object>>();
  const states: { close(): Promise<void> }[] = [];
  let admission: Admission | undefined;
  const close = async () => {
    await admission?.service.close();
    for (const [, service] of [...running].reverse()) await service.close();
    for (const state of states.reverse()) await state.close();
    await records.closeDatabases();
    changes.close();
    reach.close();
    await records.close();
  };

  /** Creates what every service of this process is given. */
  const open = (definition: ServiceDefinition) => {
    const { checks, ...own } = records.of(definition.name);
    const log = shared.log.child({ service: definition.name });
    return { checks, deps: { ...shared, ...own, config: definition.config(config), log } };
  };
  /** Returns the state of a service for this process, which creates it unless the owner of its group has it. */
  const openState = async (definition: ServiceDefinition, { checks, deps }: ReturnType<typeof open>) => {
    if (definition.state === undefined) return { state: undefined, isStateShared: false };
    const { name } = definition;
    if (owner !== undefined && definition.isStateExternal?.(config) !== true) {
      checks.push(ownerCheck(owner));
      return { state: remotePort<object>(owner, portName(name, 'state')), isStateShared: true };
    }
    const state = await definition.state({ ...deps, isShared: isOwner });
    states.push(state);
    ports.set(portName(name, 'state'), state.connect as () => ConnectedPort<object>);
    checks.push(...(state.readiness ?? []));
    return { state: state.connect().port, isStateShared: isOwner };
  };

  /** Creates a service, or another part of it that needs the same. */
  const createService = async (definition: ServiceDefinition, make: ServiceDefinition['create']) => {
    const { name } = definition;
    const opened = open(definition);
    const service = (await make({
      ...opened.deps,
      ...(await openState(definition, opened)),
      wholeConfig: config,
      countChange: changes.counterOf(name),
      clients: reach.clientsOf(definition.needs),
      optionalClients: reach.optionalClientsOf(definition),
      published: reach.publishedFor(definition),
    })) as RunningService;
    readiness.add(name, [...opened.checks, ...(service.readiness ?? [])]);
    return service;
  };
  const start = async (definition: ServiceDefinition): Promise<void> => {
    const { name } = definition;
    checkRpcNames(definition);
    const service = await createService(definition, definition.create);
    running.set(name, service);
    const { frontPort: port } = service;
    if (port !== undefined) ports.set(portName(name, 'port'), () => ({ port, close() {} }));
    faces.mountService(definition.contracts, service.impl);
  };
  const startAdmission = async (): Promise<void> => {
    // The owner of a group has no gRPC port.
    if (config.grpc?.admitCredentials !== true || isOwner) return;
    const definition = known.find((each) => each.admission !== undefined && !running.has(each.name));
    if (definition?.admission === undefined) return;
    admission = { definition, service: await createService(definition, definition.admission) };
  };
  const startStateOnly = async (definition: ServiceDefinition): Promise<void> => {
    if (definition.state === undefined || definition.isStateExternal?.(config) === true) return;
    const opened = open(definition);
    await openState(definition, opened);
    readiness.add(definition.name, opened.checks);
  };
  const startFront = async (definition: ServiceDefinition, connection: PipeConnection): Promise<void> => {
    const { name, contracts } = definition;
    readiness.add(name, [ownerCheck(connection)]);
    const front = await definition.front?.({
      ...open(definition).deps,
      ownerClient: <Desc extends DescService>(contract: Desc) => createClient(contract, reach.toOwner()),
      port: remotePort<object>(connection, portName(name, 'port')),
      untilChanged: changes.memoryOf(name),
    });
    if (front !== undefined) {
      running.set(name, front as RunningService);
      faces.mountFront(contracts, front.impl);
    }
    for (const contract of contracts) faces.mountForwards(contract, createClient(contract, reach.toOwner()));
  };

  try {
    if (owner !== undefined) for (const definition of inOwner) await startFront(definition, owner);
    for (const definition of stateOnly) await startStateOnly(definition);
    for (const definition of inOrderOfNeeds(services)) await start(definition);
    await startAdmission();
    return { running, admission, ports, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function portName(service: string, kind: 'state' | 'port'): string {
  return `${service}.${kind}`;
}

function ownerCheck(owner: PipeConnection): ReadinessCheck {
  return {
    name: 'owner',
    async check() {
      if (!owner.isConnected()) throw unavailable('owner', 'the process that has the records is being started');
    },
  };
}
