import { ConnectError } from '@connectrpc/connect';
import { describe, expect, test } from 'vitest';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { IndexerService, JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { askWhole } from '../testing/whole-mesh.ts';
import { sharedConfig } from './testing/config.ts';
import { authorization, startReplicas } from './testing/replicas.ts';
import { uploadMessages } from './testing/upload-messages.ts';

/** Callers that stream answers without a pause. */
const streamCount = 50;
/** Longest back-off of the mesh's own clients (`rpc/grpc/client.ts`). */
const longestBackoffMs = 5000;

const canRun = hasPostgres && hasRedis;

describe.skipIf(!canRun && skipped('postgres', 1, `${postgresAdvice}; ${redisAdvice}`))('a rolling restart', () => {
  test('of every process breaks none of 50 streams', async () => {
    await using postgres = await startPostgres();
    await using redis = await startRedis();
    await using replicas = await startReplicas(sharedConfig(await postgres.createDatabase(), redis.port));
    const headers = authorization('north');
    const indexer = replicas.client(IndexerService, 'north', 0);
    const { jobId } = await indexer.ingestDocuments(uploadMessages('rules', 'north-1', 4711));
    await expect
      .poll(async () => (await indexer.getJob({ jobId })).job?.state, { timeout: 60_000 })
      .toBe(JobState.SUCCEEDED);

    let isDone = false;
    let answerCount = 0;
    const broken: string[] = [];
    const chat = replicas.meshClient(ChatService);
    const callers = Array.from({ length: streamCount }, async (_, caller) => {
      for (let round = 0; !isDone; round++) {
        const question = `What is the fee of rule north-1? ${caller}-${round}`;
        try {
          await askWhole(chat, { question, bypassCache: round % 2 === 0 }, { headers });
          answerCount++;
        } catch (error) {
          broken.push(ConnectError.from(error).message);
        }
      }
    });
    for (const replica of replicas.all) {
      await replica.stop();
      await replica.start();
      // Every client is back within its longest back-off, and some jitter; only then the next one may stop, as `minReadySeconds` of a
      // deployment says.
      await sleep(longestBackoffMs * 1.3);
      await expect.poll(() => replica.servedCount(), { timeout: 60_000 }).toBeGreaterThan(streamCount);
    }
    isDone = true;
    await Promise.all(callers);
    expect(answerCount).toBeGreaterThan(streamCount);
    expect(broken).toEqual([]);
  }, 400_000);
});
