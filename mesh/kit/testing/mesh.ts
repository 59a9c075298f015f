import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, type DescService, type MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Client } from '@connectrpc/connect';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { ConfigSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import { createLogger, type Logger } from '../base/log.ts';
import type { ServiceDefinition } from '../host/define-service.ts';
import { type Host, startHost } from '../host/host.ts';
import type { GroupPart } from '../host/start/group-part.ts';
import { createClient } from '../rpc/client.ts';
import { actAs } from '../rpc/context.ts';
import { createGrpcTransport } from '../rpc/grpc/client.ts';

/** Every role there is. */
export const allRoles: Role[] = [
  ...[Role.READER, Role.EDITOR, Role.AUDITOR, Role.OPERATOR, Role.SERVICE, Role.MODEL_USER],
  ...[Role.ADMINISTRATOR, Role.PLATFORM_ADMINISTRATOR],
];

/** A principal for tests: tenant "acme", user "ann", every role; `init` changes that. */
export function testPrincipal(init: MessageInitShape<typeof PrincipalSchema> = {}): Principal {
  return create(PrincipalSchema, { tenant: 'acme', user: 'ann', roles: allRoles, ...init });
}

/** The database of each data folder of a test mesh of this file; `undefined`: in the folder. */
let databaseOf: ((dataDir: string) => Promise<string>) | undefined;

/** Makes every test mesh of this file keep its records in PostgreSQL: `of` returns the URL of a database for each data folder. */
export function useDatabases(of: (dataDir: string) => Promise<string>): void {
  databaseOf = of;
}

/** Returns the URL of the database of a data folder, for child processes; `undefined`: the records are in the folder. */
export async function databaseFor(dataDir: string): Promise<string | undefined> {
  return databaseOf?.(dataDir);
}

/** A process of the mesh for tests: real services on free ports, over a folder of its own. */
export interface TestMesh extends AsyncDisposable {
  host: Host;
  dataDir: string;
  /** URL of the database in PostgreSQL; `undefined`: the records are in the folder. */
  database: string | undefined;
  /** A client over local calls. */
  client<Desc extends DescService>(contract: Desc): Client<Desc>;
  /** A client over gRPC. */
  grpcClient<Desc extends DescService>(contract: Desc): Client<Desc>;
  /** Call options that carry a principal. @default testPrincipal() */
  as(principal?: Principal, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<CallOptions>;
  /** Stops the process; `keep` leaves its folder for a later start. */
  close(keep?: boolean): Promise<void>;
}

/** Starts services for a test. `dataDir`: a folder that an earlier test mesh kept. */
export async function startTestMesh(
  services: readonly ServiceDefinition[],
  options: {
    config?: MessageInitShape<typeof ConfigSchema>;
    known?: readonly ServiceDefinition[];
    dataDir?: string;
    clock?: () => number;
    random?: () => number;
    tracing?: boolean;
    /** Its part in a group. */
    group?: GroupPart;
    /** @default silent */
    log?: Logger;
    /** @default 50 */
    readinessIntervalMs?: number;
  } = {},
): Promise<TestMesh> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'ragmesh-test-'));
  const database = options.config?.storage?.database ?? (await databaseFor(dataDir));
  const config = create(ConfigSchema, {
    ...options.config,
    dataDir,
    ...(database !== undefined && { storage: { ...options.config?.storage, database } }),
    grpc: { port: 0, drainMs: 2000, ...options.config?.grpc },
    admin: { port: 0, ...options.config?.admin },
    edge: { port: 0, ...options.config?.edge },
  } as MessageInitShape<typeof ConfigSchema>);
  const host = await startHost({
    services,
    known: options.known ?? services,
    config,
    env: {},
    log: options.log ?? createLogger('silent'),
    readinessIntervalMs: options.readinessIntervalMs ?? 50,
    ...(options.clock && { clock: options.clock }),
    ...(options.tracing && { tracing: true }),
    ...(options.group && { group: options.group }),
    ...(options.random && { random: options.random }),
  });
  const transports: { close(): void }[] = [];
  const close = async (keep = false) => {
    for (const transport of transports.splice(0)) transport.close();
    await host.close();
    if (!keep) rmSync(dataDir, { recursive: true, force: true });
  };
  return {
    host,
    dataDir,
    database,
    client: (contract) => createClient(contract, host.local),
    grpcClient(contract) {
      const transport = createGrpcTransport({ address: `127.0.0.1:${host.grpcPort}`, methods: contract.methods });
      transports.push(transport);
      return createClient(contract, transport);
    },
    async as(principal = testPrincipal(), callOptions = {}) {
      if (host.signer === undefined) throw new Error('this mesh has no private key');
      return actAs(await host.signer.sign(principal), callOptions);
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
