import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Code, type ConnectError, type Transport } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { ConfigError } from '../base/config-error.ts';
import { rpcError } from '../base/errors.ts';
import { createClientOf } from '../rpc/client.ts';
import { createGrpcTransport, type GrpcTransport } from '../rpc/grpc/client.ts';
import type { GrpcTls } from '../rpc/grpc/tls.ts';
import type { ClientOf, Clients, Need, Needs, OptionalClients } from '../rpc/needs.ts';
import { isPublic } from '../rpc/policy.ts';
import type { Published, ServiceDefinition } from './define-service.ts';

/** How the services of a process reach each other and those of other processes. */
export interface Reach {
  /** Clients of needs. Throws ConfigError if one runs neither here nor at an address. */
  clientsOf(needs: Needs): Clients<Needs>;
  /** Functions that return clients of optional needs; see {@link OptionalClients}. */
  optionalClientsOf(definition: ServiceDefinition): OptionalClients<Needs>;
  /** Contracts with public methods of all services but `definition`, if it serves them. */
  publishedFor(definition: ServiceDefinition): Published[];
  /** Returns the transport to the owner of the group; throws in a process without one. */
  toOwner(): Transport;
  /** Ends the connections to other processes. */
  close(): void;
}

/** What a process knows of the mesh. */
export interface ReachOptions {
  /** Services that run in this process. */
  services: readonly ServiceDefinition[];
  /** Every service of the mesh. */
  known: readonly ServiceDefinition[];
  /** Addresses of services in other processes, by name. */
  addresses: Readonly<Record<string, string>>;
  /** Services that run in the owner of the group, and the transport to it. */
  owner: { services: readonly ServiceDefinition[]; transport: Transport } | undefined;
  /** Calls to services of this process, and to fronts of those in the owner. */
  local: Transport;
  /** Whether a method is served in this process. */
  isLocal(method: DescMethod): boolean;
  maxMessageBytes: number;
  /** Encrypts calls to other processes; `undefined`: plaintext. */
  tls: GrpcTls | undefined;
  /** Whether calls to other processes have spans. */
  tracing: boolean;
  /** Whether this process retries calls to other processes as the contracts allow. */
  retries: boolean;
  /** Is called when calls to a service end immediately because it does not reply, and when it replies again. */
  onBreaker(service: string, isOpen: boolean): void;
  /** Is called when a call to another process has ended, with its error; `undefined` after success. */
  onEnd(method: DescMethod, error: ConnectError | undefined): void;
}

/** Creates the reach of a process. A connection is made with the first call. */
export function createReach(options: ReachOptions): Reach {
  const remote: GrpcTransport[] = [];
  const {
    services,
    known,
    addresses,
    owner,
    local,
    isLocal,
    maxMessageBytes,
    tls,
    tracing,
    retries,
    onBreaker,
    onEnd,
  } = options;
  const beforeOwner = owner && frontedTransport(isLocal, local, owner.transport);
  const serviceOf = (contract: DescService): ServiceDefinition => {
    const definition = known.find(({ contracts }) => contracts.includes(contract));
    if (definition === undefined) throw new ConfigError('services', `none has the contract ${contract.typeName}`);
    return definition;
  };
  /** Returns `undefined` if this process cannot reach the contract. */
  const transportTo = (contract: DescService): Transport | undefined => {
    const definition = serviceOf(contract);
    if (services.includes(definition)) return local;
    if (owner?.services.includes(definition)) return beforeOwner;
    const address = addresses[definition.name];
    if (address === undefined) return undefined;
    const transport = createGrpcTransport({
      ...{ address, maxMessageBytes, tls, tracing, retries, onEnd },
      methods: contract.methods,
      onBreaker: (isOpen) => onBreaker(definition.name, isOpen),
    });
    remote.push(transport);
    return transport;
  };
  const clientOf = (need: Need): ClientOf<Need> => {
    const transport = transportTo(need.contract);
    if (transport !== undefined) return createClientOf(need, transport);
    const { name } = serviceOf(need.contract);
    throw new ConfigError(`addresses.${name}`, `is missing: "${name}" does not run in this process`);
  };
  const clientOrAbsent = (need: Need): ClientOf<Need> =>
    createClientOf(need, transportTo(need.contract) ?? absentTransport(serviceOf(need.contract).name));

  return {
    clientsOf: (needs) =>
      Object.fromEntries(Object.entries(needs).map(([name, need]) => [name, clientOf(need)])) as Clients<Needs>,
    optionalClientsOf({ optionalNeeds = {}, servesPublic = false }) {
      const make = servesPublic ? clientOrAbsent : clientOf;
      const makers = Object.entries(optionalNeeds).map(([name, need]) => [name, () => make(need)]);
      return Object.fromEntries(makers) as OptionalClients<Needs>;
    },
    publishedFor: (definition) =>
      publicNeeds(definition, known).map((need) => ({
        service: serviceOf(need.contract).name,
        contract: need.contract,
        client: clientOrAbsent(need),
      })),
    toOwner() {
      if (owner === undefined) throw new Error('this process has no owner');
      return owner.transport;
    },
    close() {
      for (const transport of remote) transport.close();
    },
  };
}

/** Returns what `definition` calls for its own callers: the public methods of all other services if it has `servesPublic`, otherwise none. */
export function publicNeeds(definition: ServiceDefinition, known: readonly ServiceDefinition[]): Need[] {
  if (definition.servesPublic !== true) return [];
  return known
    .filter((other) => other !== definition)
    .flatMap(({ contracts }) => contracts)
    .map((contract) => ({ contract, calls: contract.methods.filter(isPublic).map(({ localName }) => localName) }))
    .filter(({ calls }) => calls.length > 0);
}

/** Returns all that a service may call: its needs, its optional needs and {@link publicNeeds}. A contract may occur several times. */
export function allNeeds(definition: ServiceDefinition, known: readonly ServiceDefinition[]): Need[] {
  const { needs, optionalNeeds = {} } = definition;
  return [...Object.values(needs), ...Object.values(optionalNeeds), ...publicNeeds(definition, known)];
}

/** Returns a transport that calls the front of a service if it has the method, and otherwise the service in the owner. */
function frontedTransport(isLocal: (method: DescMethod) => boolean, local: Transport, owner: Transport): Transport {
  const to = (method: DescMethod) => (isLocal(method) ? local : owner);
  return {
    unary: (method, ...rest) => to(method).unary(method, ...rest),
    stream: (method, ...rest) => to(method).stream(method, ...rest),
  };
}

/** Returns a transport to a service that is not part of the deployment: each call ends UNAVAILABLE and names the service. */
function absentTransport(name: string): Transport {
  const fail = async (): Promise<never> => {
    const message = `the service "${name}" is not part of this deployment`;
    throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, message, { metadata: { dependency: name } });
  };
  return { unary: fail, stream: fail };
}
