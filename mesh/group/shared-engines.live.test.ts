import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Client } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { RetrievalService } from '#gen/ragmesh/retrieval/v1/retrieval_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { createClient } from '#kit/rpc/client.ts';
import { actAs } from '#kit/rpc/context.ts';
import { createGrpcTransport } from '#kit/rpc/grpc/client.ts';
import { createTokenSigner } from '#kit/rpc/identity.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { askWhole } from '../e2e/testing/whole-mesh.ts';
import { ask, auditedIds, connections, questions, startLoad } from './testing/asks.ts';
import { startTestGroup, type TestGroup } from './testing/start-group.ts';

// A group over PostgreSQL and Redis: each worker is a full copy of the online services.

const canRun = hasPostgres && hasRedis;

/** Connections: node:cluster gives them to the workers in turn. */
const connectionCount = 6;

function sectionsOf(databaseUrl: string, redisPort: number, privateKey: KeyObject): string {
  const redis = { adapter: 'redis', settings: { url: `redis://127.0.0.1:${redisPort}` } };
  const limits = {
    ...{ tenant_requests_per_second: 100_000, tenant_burst: 100_000, user_max_concurrent: 1000 },
    ...{ user_requests_per_second: 100_000, user_burst: 100_000 },
  };
  const sections = {
    storage: { database: databaseUrl },
    cache: { durable_store: redis },
    llm_gateway: { limits: { store: redis } },
    identity: { private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }) },
  };
  const lines = Object.entries(sections).map(([name, section]) => `${name}: ${JSON.stringify(section)}`);
  return [...lines, `edge: ${JSON.stringify({ port: 'EDGE_PORT', limiter: redis, ...limits })}`]
    .join('\n')
    .replace('"EDGE_PORT"', 'EDGE_PORT');
}

describe.skipIf(!canRun && skipped('postgres', 3, `${postgresAdvice}; ${redisAdvice}`))(
  'a group over PostgreSQL and Redis',
  () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    let postgres: TestPostgres;
    let redis: TestServer;
    let group: TestGroup;
    beforeAll(async () => {
      postgres = await startPostgres();
      redis = await startRedis();
      group = await startTestGroup(2, sectionsOf(await postgres.createDatabase(), redis.port, privateKey));
      await group.ready();
    });
    afterAll(async () => {
      await group?.[Symbol.asyncDispose]();
      await redis?.[Symbol.asyncDispose]();
      await postgres?.[Symbol.asyncDispose]();
    });

    test('every worker answers and records by itself while the owner is suspended', async () => {
      const principal = testPrincipal({ tenant: 'demo', groups: ['staff'] });
      const options = actAs(await createTokenSigner(privateKey, Date.now).sign(principal));
      const transports = Array.from({ length: connectionCount }, () =>
        createGrpcTransport({ address: `127.0.0.1:${group.grpcPort}`, methods: ChatService.methods, retries: false }),
      );
      const owner = group.members().find(({ isOwner }) => isOwner);
      if (owner === undefined) throw new Error('the group has no owner');
      process.kill(owner.pid, 'SIGSTOP');
      try {
        for (const transport of transports) {
          const { corpora } = await createClient(RetrievalService, transport).listCorpora({}, options);
          expect(corpora.length).toBeGreaterThan(0);
          const answer = await askWhole(
            createClient(ChatService, transport),
            { question: questions[0] as string, bypassCache: true },
            options,
          );
          expect(answer.citations.length).toBeGreaterThan(0);
          const stages = answer.done.degradations.map(({ stage }) => stage);
          expect(stages).not.toContain(Stage.AUDIT);
          expect(stages).not.toContain(Stage.CACHE);
        }
      } finally {
        process.kill(owner.pid, 'SIGCONT');
        for (const transport of transports) transport.close();
      }
    }, 300_000);

    test('a session continues on every worker, in the order of its questions', async () => {
      const options = { headers: { authorization: `Bearer ${group.keys.dev}` } };
      const clients = connections(group, connectionCount);
      const [first, ...others] = clients as [Client<typeof ChatService>, ...Client<typeof ChatService>[]];
      const asked = [questions[0] as string];
      const begun = await askWhole(first, { question: asked[0] as string, createSession: true }, options);
      const { sessionId } = begun.done;
      for (const [index, client] of others.entries()) {
        const question = questions[index % questions.length] as string;
        asked.push(question);
        const { done } = await askWhole(client, { question, sessionId }, options);
        expect(done.degradations.filter(({ stage }) => stage === Stage.SESSION)).toEqual([]);
      }
      for (const client of clients) {
        const { turns } = await client.getSession({ sessionId }, options);
        expect(turns.map(({ question }) => question)).toEqual(asked);
      }
    }, 300_000);

    test('nothing acknowledged is lost when one worker after another is killed', async () => {
      const load = startLoad(group, 6);
      for (let round = 0; round < 4; round++) {
        await sleep(2500);
        const workers = group.members().filter(({ isOwner }) => !isOwner);
        const victim = workers[round % workers.length];
        if (victim !== undefined) process.kill(victim.pid, 'SIGKILL');
      }
      await sleep(1000);
      await group.ready();
      const { acknowledged, wrong } = await load.stop();
      expect(wrong).toEqual([]);
      for (const client of connections(group, connectionCount)) {
        expect(await ask(client, group.keys.dev, questions[0] as string)).toMatchObject({
          isWhole: true,
          isRecorded: true,
        });
      }
      const audited = await auditedIds(group);
      expect(acknowledged.length).toBeGreaterThan(20);
      expect(acknowledged.filter((id) => !audited.includes(id))).toEqual([]);
      expect(new Set(audited).size).toBe(audited.length);
    }, 300_000);
  },
);
