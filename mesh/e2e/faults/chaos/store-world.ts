import { createClient } from '@connectrpc/connect';
import { createConnectTransport } from '@connectrpc/connect-node';
import { Redis } from 'ioredis';
import pg from 'pg';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import {
  content,
  doneMark,
  failed,
  finish,
  type Responder,
  startFakeProvider,
  streamed,
  usage,
} from '../../../../services/llm-gateway/testing/provider-server.ts';
import { startWholeMesh } from '../../testing/whole-mesh.ts';
import { startLink } from './link.ts';
import type { Row, World } from './world.ts';

const answer = streamed([content('Within 30 days [1].'), finish('stop'), usage(900, 8), doneMark]);

/** Starts the mesh in one process with a model provider, and with a real Redis and a real PostgreSQL if this machine has them. */
export async function startStoreWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack();
  const rows: Row[] = [];
  let isBusy = false;
  const reply: Responder = (...args) => (isBusy ? failed(429, { message: 'busy' }) : answer)(...args);
  const provider = opened.use(await startFakeProvider(reply));
  const toProvider = opened.use(await startLink({ port: Number(new URL(provider.url).port) }));
  rows.push({
    dependency: 'provider',
    async begin(fault) {
      isBusy = fault === 'full';
      toProvider.set(fault);
    },
    async end() {
      isBusy = false;
      toProvider.set(undefined);
    },
  });
  const redis = hasRedis || !skipped('redis', 1, redisAdvice) ? opened.use(await redisRow()) : undefined;
  const postgres = hasPostgres || !skipped('postgres', 1, postgresAdvice) ? opened.use(await postgresRow()) : undefined;
  for (const each of [redis, postgres]) if (each !== undefined) rows.push(each.row);
  const base_url = `http://127.0.0.1:${toProvider.port}/v1`;
  const timeouts = { headersMs: 1000, firstTokenMs: 1000, idleMs: 1000 };
  const shared = { adapter: 'redis', settings: { url: redis?.url ?? '' } };
  const mesh = opened.use(
    await startWholeMesh({
      config: {
        ...(postgres && { storage: { database: postgres.url } }),
        ...(redis && { cache: { durableStore: shared as never } }),
        edge: { ...(redis && { limiter: shared as never }) },
        llmGateway: {
          models: [
            { name: 'main', adapter: 'openai-compatible', settings: { base_url, model: 'main' }, timeouts },
            { name: 'spare', adapter: 'extractive' },
          ],
          routes: [{ name: 'default', models: ['main', 'spare'], tasks: [Task.ANSWER] }],
          breaker: { openMs: 2000 },
        },
      },
    }),
  );
  const transport = createConnectTransport({ baseUrl: mesh.edgeUrl, httpVersion: '2' });
  const all = opened.move();
  return {
    chat: createClient(ChatService, transport),
    options: { headers: { authorization: `Bearer ${mesh.devKey}` } },
    rows,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface StoreRow extends AsyncDisposable {
  row: Row;
  url: string;
}

/** A Redis that is full refuses every write. */
async function redisRow(): Promise<StoreRow> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startRedis(undefined, ['--maxmemory-policy', 'noeviction']));
  const link = opened.use(await startLink(server));
  const admin = opened.adopt(new Redis(server.port, '127.0.0.1'), (client) => client.disconnect());
  const all = opened.move();
  return {
    url: `redis://127.0.0.1:${link.port}`,
    row: {
      dependency: 'redis',
      async begin(fault) {
        if (fault === 'full') await admin.config('SET', 'maxmemory', '1');
        link.set(fault);
      },
      async end() {
        await admin.config('SET', 'maxmemory', '0');
        link.set(undefined);
      },
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** A PostgreSQL that is full has no connection left. */
async function postgresRow(): Promise<StoreRow> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startPostgres());
  const link = opened.use(await startLink(server));
  const direct = await server.createDatabase();
  const taken: pg.Client[] = [];
  const all = opened.move();
  const takeAll = async () => {
    await server.dropConnections();
    // A connection that was dropped is free a moment later.
    for (let refusedCount = 0; refusedCount < 3; ) {
      const client = new pg.Client({ connectionString: direct });
      client.on('error', () => {});
      const isTaken = await client.connect().then(
        () => true,
        () => false,
      );
      refusedCount = isTaken ? 0 : refusedCount + 1;
      if (isTaken) taken.push(client);
      else await sleep(100);
    }
  };
  return {
    url: direct.replace(`:${server.port}/`, `:${link.port}/`),
    row: {
      dependency: 'postgres',
      async begin(fault) {
        if (fault === 'full') {
          // The mesh must not be first to take a connection.
          link.set('dead');
          await takeAll();
        }
        link.set(fault);
      },
      async end() {
        await Promise.all(taken.splice(0).map((client) => client.end().catch(() => {})));
        link.set(undefined);
      },
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
