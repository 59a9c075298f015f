import { connect, createServer, type Server } from 'node:net';
import { startPostgres } from '#kit/testing/postgres.ts';
import { startRedis } from '#kit/testing/redis.ts';
import { outside } from './network.ts';

/** PostgreSQL and Redis at the addresses that the manifests name. */
export interface Stores extends AsyncDisposable {
  /** URLs as services use them. */
  readonly database: string;
  readonly redis: string;
}

/** Starts the stores. They listen on loopback; relays are at their addresses in the network of the lab. */
export async function startStores(): Promise<Stores> {
  const postgres = await startPostgres();
  const redis = await startRedis();
  const url = new URL(await postgres.createDatabase());
  const relays = [relay(outside.postgres, 5432, postgres.port), relay(outside.redis, 6379, redis.port)];
  url.hostname = 'postgres.example.com';
  url.port = '5432';
  return {
    database: url.href,
    redis: 'redis://redis.example.com:6379',
    async [Symbol.asyncDispose]() {
      for (const server of relays) server.close();
      await redis[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

function relay(address: string, port: number, to: number): Server {
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const [from, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => other.destroy());
      from.on('close', () => other.destroy());
      from.pipe(other);
    }
  });
  return server.listen(port, address);
}
