import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { hasPostgres, postgresAdvice, startPostgres } from '#kit/testing/postgres.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { hasCommand, skipped } from '#kit/testing/server.ts';
import {
  checkRest,
  eraseAll,
  holdAndExport,
  plant,
  planted,
  plantedFiles,
  plantedIn,
} from '../testing/erasure-world.ts';
import { startWholeMesh } from '../testing/whole-mesh.ts';

const canRun = hasPostgres && hasRedis && hasCommand('pg_dump');

/** Returns every key and value of a Redis, as they are. */
async function dumpOf(port: number): Promise<string> {
  const redis = new Redis(port, { maxRetriesPerRequest: 1 });
  try {
    const keys = await redis.keysBuffer('*');
    const values = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    return Buffer.concat([...keys, ...values.filter((value) => value !== null)]).toString('latin1');
  } finally {
    redis.disconnect();
  }
}

describe.skipIf(!canRun && skipped('postgres, pg_dump and redis', 1, `${postgresAdvice} ${redisAdvice}`))(
  'on PostgreSQL and Redis',
  () => {
    test('after an erasure no dump of the database, no key of Redis and no file has a planted value', async () => {
      await using server = await startPostgres();
      await using redis = await startRedis(undefined, ['--rdbcompression', 'no']);
      const database = await server.createDatabase();
      const url = `redis://127.0.0.1:${redis.port}`;
      const config = {
        storage: { database },
        cache: {
          durableStore: { adapter: 'redis', settings: { url } },
          flightStore: { adapter: 'redis', settings: { url } },
        },
        personalData: { keys: [{ id: 'k1', key: Buffer.alloc(32, 7).toString('base64') }] },
      };
      const dump = () => execFileSync('pg_dump', ['--inserts', database], { maxBuffer: 1 << 28 });
      const mesh = await startWholeMesh({ sample: false, config });
      await plant(mesh);
      expect(new Set(plantedIn(dump()))).toEqual(new Set(Object.values(planted)));
      expect(plantedIn(await dumpOf(redis.port))).toContain(planted.document);
      await holdAndExport(mesh);
      const found = await eraseAll(mesh);
      expect(found).toMatchObject({ user: { 'chat.sessions': 2, 'audit.sealed_entries': 3, 'cache.answers': 2 } });
      expect(plantedIn(dump())).toEqual([]);
      // Records of generations that have just ended expire by themselves, after some seconds.
      await expect.poll(async () => plantedIn(await dumpOf(redis.port)), { timeout: 50_000 }).toEqual([]);
      await checkRest(mesh);
      await mesh.close(true);
      expect(plantedFiles(mesh.dataDir)).toEqual({});
      rmSync(mesh.dataDir, { recursive: true });
    });
  },
);
