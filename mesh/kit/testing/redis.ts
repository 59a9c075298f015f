import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { hasCommand, type ServerCommand, startTestServer, type TestServer } from './server.ts';

/** Whether this machine has a Redis. */
export const hasRedis = hasCommand('redis-server');

/** What to do if it has none. */
export const redisAdvice = 'apt-get install redis-server';

/** Starts a real Redis on loopback that keeps nothing on disk. `port`: to come back at the address of another one. */
export function startRedis(port?: number, extraArgs: readonly string[] = []): Promise<TestServer> {
  const command: ServerCommand = {
    command: 'redis-server',
    args: (at, folder) => ['--port', String(at), '--dir', folder, '--save', '', '--appendonly', 'no', ...extraArgs],
    ...(port === undefined ? {} : { port }),
  };
  return startTestServer(command);
}

/** A way to run Redis, started for a test. */
export interface RedisTopology extends AsyncDisposable {
  /** Settings of an adapter that uses it. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Its servers; the first one takes writes at the start. */
  readonly servers: readonly TestServer[];
}

/** Every way to run Redis that the connection policy supports, for `describe.each`. */
export const redisTopologies: readonly { name: string; start: () => Promise<RedisTopology> }[] = [
  { name: 'one server', start: startSingle },
  { name: 'a server with TLS', start: startTls },
  { name: 'a master behind Sentinel', start: startSentinel },
  { name: 'a cluster', start: startCluster },
];

async function startSingle(): Promise<RedisTopology> {
  const server = await startRedis();
  return topologyOf({ url: `redis://127.0.0.1:${server.port}` }, [server]);
}

async function startTls(): Promise<RedisTopology> {
  const folder = mkdtempSync(join(tmpdir(), 'ragmesh-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', key, '-out', certificate, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...files, ...subject], { stdio: 'ignore' });
  const encryption = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'];
  const server = await startTestServer({
    command: 'redis-server',
    args: (port, dir) => ['--port', '0', '--tls-port', String(port), '--dir', dir, '--save', '', ...encryption],
  });
  const settings = { url: `rediss://127.0.0.1:${server.port}`, tls_ca_file: certificate };
  return topologyOf(settings, [server], () => rmSync(folder, { recursive: true, force: true }));
}

async function startSentinel(): Promise<RedisTopology> {
  const master = await startRedis();
  const replica = await startRedis(undefined, ['--replicaof', '127.0.0.1', String(master.port)]);
  const sentinel = await startTestServer({
    command: 'redis-server',
    args(port, folder) {
      const path = join(folder, 'sentinel.conf');
      const lines = [
        `port ${port}`,
        `dir ${folder}`,
        `sentinel monitor shop 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds shop 500',
        'sentinel failover-timeout shop 3000',
      ];
      writeFileSync(path, lines.join('\n'));
      return [path, '--sentinel'];
    },
  });
  await using asked = clientOf(sentinel);
  await until(async () => ((await asked.redis.call('SENTINEL', 'REPLICAS', 'shop')) as unknown[]).length === 1);
  return topologyOf({ urls: [`127.0.0.1:${sentinel.port}`], sentinel: 'shop' }, [master, replica, sentinel]);
}

async function startCluster(): Promise<RedisTopology> {
  const servers = await Promise.all([0, 1, 2].map(() => startRedis(undefined, ['--cluster-enabled', 'yes'])));
  const clients = servers.map(clientOf);
  const slotCount = 16_384;
  const boundary = (share: number) => Math.floor((slotCount * share) / clients.length);
  for (const [index, { redis }] of clients.entries()) {
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', String(boundary(index)), String(boundary(index + 1) - 1));
    for (const { port } of servers) await redis.call('CLUSTER', 'MEET', '127.0.0.1', String(port));
  }
  await until(async () => {
    const states = await Promise.all(clients.map(({ redis }) => redis.cluster('INFO')));
    return states.every((state) => /cluster_state:ok/.test(state) && /cluster_known_nodes:3/.test(state));
  });
  for (const client of clients) await client[Symbol.asyncDispose]();
  const urls = servers.map(({ port }) => `redis://127.0.0.1:${port}`);
  return topologyOf({ urls, cluster: true }, servers);
}

function topologyOf(
  settings: RedisTopology['settings'],
  servers: readonly TestServer[],
  onDispose = () => {},
): RedisTopology {
  return {
    settings,
    servers,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
      onDispose();
    },
  };
}

function clientOf({ port }: TestServer): AsyncDisposable & { redis: Redis } {
  const redis = new Redis(port, '127.0.0.1');
  return { redis, [Symbol.asyncDispose]: async () => redis.disconnect() };
}

/** Waits until `check` resolves to true, for at most 30 seconds. */
async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await check().catch(() => false))) {
    if (performance.now() > deadline) throw new Error('a Redis topology did not become ready in 30 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
