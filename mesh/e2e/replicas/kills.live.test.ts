import { describe, expect, test } from 'vitest';
import { sleep } from '#kit/base/streams.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped } from '#kit/testing/server.ts';
import { sharedConfig } from './testing/config.ts';
import { createLoad } from './testing/load.ts';
import { type Replicas, startReplicas } from './testing/replicas.ts';

// Two replicas of every service over PostgreSQL and Redis, under a random load, while a replica or PostgreSQL dies again and again.

/** How long the load runs, in milliseconds. */
const loadMs = 60_000;

/** Breaks PostgreSQL in every way, twice, with a pause of normal work after each. */
async function breakPostgres(postgres: TestPostgres): Promise<void> {
  const ways = [
    () => postgres.dropConnections(),
    async () => {
      postgres.pause();
      await sleep(5000);
      postgres.resume();
    },
    async () => {
      await postgres.stop();
      await postgres.start();
    },
    async () => {
      await postgres.kill();
      await postgres.start();
    },
  ];
  for (const way of [...ways, ...ways]) {
    await sleep(4000);
    await way();
  }
  await sleep(4000);
}

const canRun = hasPostgres && hasRedis;

/** Kills a replica without warning every few seconds, one at a time, and starts it again. */
async function killReplicas(replicas: Replicas, random: () => number, isDone: () => boolean): Promise<number> {
  let killCount = 0;
  while (!isDone()) {
    await sleep(1500 + random() * 2000);
    const victim = replicas.all[Math.floor(random() * replicas.all.length)];
    await victim?.kill();
    killCount++;
    await victim?.start();
  }
  return killCount;
}

describe.skipIf(!canRun && skipped('postgres', 2, `${postgresAdvice}; ${redisAdvice}`))(
  'two replicas of every service',
  () => {
    test('lose nothing, repeat nothing and leak nothing while one after another is killed', async () => {
      await using postgres = await startPostgres();
      await using redis = await startRedis();
      await using replicas = await startReplicas(sharedConfig(await postgres.createDatabase(), redis.port));
      const load = createLoad(replicas, Math.random);
      const endMs = performance.now() + loadMs;
      const isDone = () => performance.now() > endMs;
      const [report, killCount] = await Promise.all([load.run(4, isDone), killReplicas(replicas, Math.random, isDone)]);
      process.stderr.write(`${killCount} kills, ${JSON.stringify({ ...report, failures: [...report.failures] })}\n`);
      expect(await load.check()).toEqual([]);
      expect(killCount).toBeGreaterThan(0);
      expect(report.answerCount).toBeGreaterThan(0);
      expect(report.rollbackCount).toBeGreaterThan(0);
    }, 400_000);

    test('lose, repeat and leak nothing while PostgreSQL is cut off, suspended, restarted and killed', async () => {
      await using postgres = await startPostgres({ isDurable: true });
      await using redis = await startRedis();
      await using replicas = await startReplicas(sharedConfig(await postgres.createDatabase(), redis.port));
      const load = createLoad(replicas, Math.random);
      let isDone = false;
      const breaking = breakPostgres(postgres).finally(() => {
        isDone = true;
      });
      const [report] = await Promise.all([load.run(4, () => isDone), breaking]);
      process.stderr.write(`${JSON.stringify({ ...report, failures: [...report.failures] })}\n`);
      expect(await load.check()).toEqual([]);
      expect(report.answerCount).toBeGreaterThan(0);
      expect(report.rollbackCount).toBeGreaterThan(0);
    }, 400_000);
  },
);
