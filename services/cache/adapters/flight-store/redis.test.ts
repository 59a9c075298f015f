import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import { hasRedis, redisAdvice, startRedis } from '#kit/testing/redis.ts';
import { skipped, type TestServer } from '#kit/testing/server.ts';
import { stretched } from '#kit/testing/time.ts';
import type { Flight } from '../../flights/flight.ts';
import type { FlightStore, FlightStoreDeps } from '../../flights/flight-store.ts';
import { flightDeps, flightOf, flightStoreSuite, said, textOf } from '../../suites/flight-store.suite.ts';

let prefixes = 0;

const open = (port: number, settings: object = {}, deps: Partial<FlightStoreDeps> = {}) =>
  createFromAdapter<FlightStore, FlightStoreDeps>(
    new URL('./', import.meta.url),
    'redis',
    { url: `redis://127.0.0.1:${port}`, ...settings },
    flightDeps(deps),
    'cache.flight_store',
  );

describe.skipIf(!hasRedis && skipped('redis', 16, redisAdvice))('a real Redis', () => {
  let server: TestServer;
  let direct: Redis;
  beforeAll(async () => {
    server = await startRedis();
    direct = new Redis(server.port, '127.0.0.1');
  });
  afterAll(async () => {
    direct.disconnect();
    await server[Symbol.asyncDispose]();
  });
  const newPrefix = () => `test${++prefixes}:`;
  const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 10_000, interval: 5 });
  // A busy machine must not lose a lease: that is for the tests of faults.
  const patient = { lease_ms: 5000 };

  flightStoreSuite('redis', async (deps) => {
    const settings = { ...patient, key_prefix: newPrefix() };
    const [here, there] = [await open(server.port, settings, deps), await open(server.port, settings, deps)];
    return {
      here,
      there,
      async close() {
        await here.close();
        await there.close();
      },
    };
  });

  async function replicas(count: number, settings: object = {}, port = server.port) {
    const key_prefix = newPrefix();
    const stores = await Promise.all(Array.from({ length: count }, () => open(port, { key_prefix, ...settings })));
    onTestFinished(async () => {
      await Promise.all(stores.map((store) => store.close()));
    });
    return { stores: stores as [FlightStore, FlightStore, FlightStore], prefix: `${key_prefix}{acme}` };
  }

  test('a lease that shows no sign of life is lost within a second, and one of the others leads', async () => {
    const { stores, prefix } = await replicas(3);
    const [one, two, three] = stores;
    const { flight } = await one.enter(flightOf(), false);
    await one.take('acme', flight.leaseId, 'ann');
    flight.append(said('part'), 4);
    const followers = await Promise.all([two, three].map((store) => store.enter(flightOf(), false)));
    const leaves = followers.map((followed) => followed.flight.follow());
    await eventually(() => followers.map((followed) => textOf(followed.flight))).toEqual(['part', 'part']);
    // As if the replica had died: another one holds its lease now, and shows no sign of life.
    await direct.hset(`${prefix}:f:${flight.key}`, 'o', 'nobody');
    const diedAt = performance.now();
    await eventually(() => followers.map((followed) => followed.flight.state)).toEqual(['abandoned', 'abandoned']);
    expect(performance.now() - diedAt).toBeLessThan(stretched(2000));
    for (const leave of leaves) leave();
    const entered = await Promise.all([two, three].map((store) => store.enter(flightOf(), false)));
    expect(entered.filter(({ leads }) => leads)).toHaveLength(1);
  });

  test('no caller follows a flight that began before an invalidation of the tenant', async () => {
    const { stores, prefix } = await replicas(2, patient);
    const [one, two] = stores;
    await one.enter(flightOf(), false);
    await direct.set(`${prefix}:v`, 'era.1');
    expect((await two.enter(flightOf(), false)).leads).toBe(true);
  });

  test('a caller just after the end gets the whole answer if it was stored', async () => {
    const { stores } = await replicas(2, patient);
    const [one, two] = stores;
    const { flight } = await one.enter(flightOf(), false);
    await one.take('acme', flight.leaseId, 'ann');
    flight.append(said('whole'), 5);
    flight.end('finished', true);
    const { flight: late, leads } = await two.enter(flightOf(), false);
    expect(leads).toBe(false);
    const leave = late.follow();
    await eventually(() => late.state).toBe('finished');
    expect(textOf(late)).toBe('whole');
    leave();
  });

  test('a relay without followers ends', async () => {
    const { stores } = await replicas(2, patient);
    const [one, two] = stores;
    await one.enter(flightOf(), false);
    const { flight } = await two.enter(flightOf(), false);
    const leaves = [flight.follow(), flight.follow()];
    for (const leave of leaves) leave();
    expect(flight.state).toBe('abandoned');
    expect(two.followable(flight.key)).toBeUndefined();
  });

  test('text in many small pieces arrives whole and in order', async () => {
    const { stores } = await replicas(2, patient);
    const [one, two] = stores;
    const { flight } = await one.enter(flightOf(), false);
    await one.take('acme', flight.leaseId, 'ann');
    const { flight: behind } = await two.enter(flightOf(), false);
    const leave = behind.follow();
    let text = '';
    for (let number = 0; number < 500; number++) {
      const piece = String(number % 10);
      text += piece;
      flight.append(said(piece), 1);
      if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => textOf(behind)).toBe(text);
    leave();
  });

  test('while Redis is away each replica leads by itself, no caller waits, and running flights continue', async () => {
    await using own = await startRedis();
    const { stores } = await replicas(2, {}, own.port);
    const [one, two] = stores;
    const { flight } = await one.enter(flightOf(), false);
    await one.take('acme', flight.leaseId, 'ann');
    const followed = await two.enter(flightOf(), false);
    const leave = followed.flight.follow();
    await own.kill();
    flight.append(said('still here'), 10);
    expect(textOf(flight)).toBe('still here');
    await eventually(() => followed.flight.state).toBe('abandoned');
    leave();
    const startedAt = performance.now();
    const entered = await Promise.all(stores.map((store) => store.enter(flightOf({ key: '5'.repeat(64) }), false)));
    expect(entered.map(({ leads }) => leads)).toEqual([true, true]);
    expect(performance.now() - startedAt).toBeLessThan(stretched(1000));
    const [led] = entered as [{ flight: Flight; leads: boolean }, unknown];
    expect(await one.take('acme', led.flight.leaseId, 'ann')).toBeDefined();
  });
});
