import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DescService } from '@bufbuild/protobuf';
import { type Client, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { sleep } from '#kit/base/streams.ts';
import { createClient as createKitClient } from '#kit/rpc/client.ts';
import { createGrpcTransport as createKitTransport } from '#kit/rpc/grpc/client.ts';
import { freePort, isReady } from '#kit/testing/server.ts';

// Two replicas of every service, as processes: one pair answers ("online"), one pair keeps the state behind it ("state").

const run = fileURLToPath(new URL('../../../run.ts', import.meta.url));

const roles: Readonly<Record<RoleName, readonly string[]>> = {
  online: ['edge', 'chat', 'cache', 'llm-gateway', 'embedding', 'rerank'],
  state: ['retrieval', 'audit', 'indexer', 'evaluation'],
};

type RoleName = 'online' | 'state';

/** Replicas of each role. */
const copies = 2;

/** The tenants that have a key, with every public role. */
export const tenants = ['north', 'south'] as const;
export type Tenant = (typeof tenants)[number];

/** A process. */
export interface Replica {
  readonly name: string;
  readonly role: RoleName;
  /** What it has printed, the end of it. */
  output(): string;
  /** Kills it without warning (SIGKILL). */
  kill(): Promise<void>;
  /** Asks it to stop (SIGTERM), and waits until it has. */
  stop(): Promise<void>;
  /** Starts it and waits until it is ready. */
  start(): Promise<void>;
  /** Returns the calls that it has served since its start. */
  servedCount(): Promise<number>;
}

/** All processes. */
export interface Replicas extends AsyncDisposable {
  readonly all: readonly Replica[];
  /** Calls one of the edges with the tenant's key, over gRPC. `edge`: its index. */
  client<Desc extends DescService>(contract: Desc, tenant: Tenant, edge: number): Client<Desc>;
  /** Calls whichever edge is up, in turn, as a service of the mesh does. Every call needs the headers of {@link authorization}. */
  meshClient<Desc extends DescService>(contract: Desc): Client<Desc>;
}

/** Returns the headers with the key of a tenant. */
export function authorization(tenant: Tenant): { authorization: string } {
  return { authorization: `Bearer ${keyOf(tenant)}` };
}

/** Starts the processes. `config`: what all of them share, in the names of the configuration file. */
export async function startReplicas(config: Readonly<Record<string, unknown>>): Promise<Replicas> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-replicas-'));
  const places = await findPlaces();
  const shared = { ...config, identity: { private_key: privateKey() }, addresses: addressesOf(places) };
  const all = places.map((place) => createReplica(place, folder, shared));
  await Promise.all(all.map((replica) => replica.start()));
  const edges = places.filter(({ role }) => role === 'online').map(({ edgePort }) => edgePort);
  const transports: { close(): void }[] = [];
  return {
    all,
    client(contract, tenant, edge) {
      const transport = createGrpcTransport({
        baseUrl: `http://127.0.0.1:${edges[edge % edges.length]}`,
        interceptors: [
          (next) => (request) => {
            request.header.set('authorization', authorization(tenant).authorization);
            return next(request);
          },
        ],
      });
      return createClient(contract, transport);
    },
    meshClient(contract) {
      const address = `ipv4:${edges.map((port) => `127.0.0.1:${port}`).join(',')}`;
      const transport = createKitTransport({ address, methods: contract.methods, retries: false });
      transports.push(transport);
      return createKitClient(contract, transport);
    },
    async [Symbol.asyncDispose]() {
      for (const transport of transports) transport.close();
      await Promise.all(all.map((replica) => replica.kill()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Place {
  name: string;
  role: RoleName;
  grpcPort: number;
  adminPort: number;
  edgePort: number;
}

async function findPlaces(): Promise<Place[]> {
  const places: Place[] = [];
  for (const role of ['state', 'online'] as const) {
    for (let copy = 1; copy <= copies; copy++) {
      const [grpcPort, adminPort, edgePort] = [await freePort(), await freePort(), await freePort()];
      places.push({ name: `${role}-${copy}`, role, grpcPort, adminPort, edgePort });
    }
  }
  return places;
}

/** Returns the addresses of every service: both replicas, which a client takes in turn. */
function addressesOf(places: readonly Place[]): Record<string, string> {
  const addresses: Record<string, string> = {};
  for (const [role, services] of Object.entries(roles)) {
    const ports = places.filter((place) => place.role === role).map(({ grpcPort }) => `127.0.0.1:${grpcPort}`);
    for (const service of services) if (service !== 'edge') addresses[service] = `ipv4:${ports.join(',')}`;
  }
  return addresses;
}

function createReplica(place: Place, folder: string, shared: Readonly<Record<string, unknown>>): Replica {
  const { name, role, grpcPort, adminPort, edgePort } = place;
  const home = join(folder, name);
  mkdirSync(home, { recursive: true });
  const path = join(home, 'ragmesh.yaml');
  const edge = { port: edgePort, api_keys: tenants.map(apiKeyOf), ...roomyLimits, ...(shared.edge as object) };
  // JSON is YAML.
  const file = { ...shared, grpc: { port: grpcPort, drain_ms: 10_000 }, admin: { port: adminPort }, edge };
  writeFileSync(path, JSON.stringify(file));
  let child: ChildProcess | undefined;
  let output = '';
  const end = async (signal: NodeJS.Signals) => {
    const ending = child;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill(signal);
    await exited;
  };
  return {
    name,
    role,
    output: () => output,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async servedCount() {
      const metrics = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
      const counts = metrics.matchAll(/^ragmesh_rpc_total\{[^}]*ragmesh\.[^}]*\} (\d+)/gm);
      return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async start() {
      const args = [run, '--services', roles[role].join(','), '--config', path];
      const started = spawn(process.execPath, args, { env: { ...process.env, RAGMESH_DATA_DIR: join(home, 'data') } });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (bytes) => {
          output = (output + String(bytes)).slice(-20_000);
        });
      }
      while (!(await isReady(adminPort))) {
        if (started.exitCode !== null) throw new Error(`${name} ended with ${started.exitCode}:\n${output}`);
        await sleep(50);
      }
    },
  };
}

const roomyLimits = {
  tenant_requests_per_second: 100_000,
  tenant_burst: 100_000,
  user_requests_per_second: 100_000,
  user_burst: 100_000,
  user_max_concurrent: 1000,
};

const keyOf = (tenant: Tenant) => `key-of-${tenant}-0123456789abcdef`;

function apiKeyOf(tenant: Tenant): object {
  const sha256 = createHash('sha256').update(keyOf(tenant)).digest('hex');
  const names = ['READER', 'EDITOR', 'AUDITOR', 'OPERATOR'].map((role) => `ROLE_${role}`);
  return { id: tenant, sha256, tenant, roles: names };
}

function privateKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}
