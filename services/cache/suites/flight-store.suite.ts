import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AnswerEvent, AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createLogger } from '#kit/base/log.ts';
import type { Flight, FlightInit } from '../flights/flight.ts';
import { type FlightStore, type FlightStoreDeps, leaseIdOf } from '../flights/flight-store.ts';
import { keyOf } from './answer-store.suite.ts';

/** Two stores that see the same flights: those of two replicas, or twice the store of one process. */
export interface StoresUnderTest {
  here: FlightStore;
  there: FlightStore;
  close(): Promise<void>;
}

/** A flight for tests. */
export function flightOf(init: Partial<FlightInit> = {}): FlightInit {
  return {
    tenant: 'acme',
    key: keyOf(1).replaceAll('a', '7'),
    question: 'why?',
    holder: 'ann',
    labels: ['model:m'],
    scope: new Uint8Array([1, 2]),
    epoch: 'e.1',
    isRefresh: false,
    ...init,
  };
}

let idCount = 0;

/** What a flight store receives in tests. */
export function flightDeps(init: Partial<FlightStoreDeps> = {}): FlightStoreDeps {
  return {
    clock: Date.now,
    newId: (key) => leaseIdOf(key, `n${++idCount}`),
    leaseTtlMs: 10_000,
    maxFlights: 1000,
    maxAnswerBytes: 1000,
    timeoutMs: 5000,
    log: createLogger('silent'),
    ...init,
  };
}

/** A piece of text. */
export const said = (text: string): AnswerEvent =>
  create(AnswerEventSchema, { event: { case: 'textDelta', value: { text } } });

/** The text of a flight so far. */
export const textOf = ({ events }: Flight): string =>
  events.map(({ event }) => (event.case === 'textDelta' ? event.value.text : '')).join('');

const eventually = <T>(check: () => T) => expect.poll(check, { timeout: 10_000, interval: 5 });

/** The contract of every flight store. */
export function flightStoreSuite(name: string, open: (deps: FlightStoreDeps) => Promise<StoresUnderTest>): void {
  describe(`${name} fulfils the port of flight stores`, () => {
    let tested: StoresUnderTest;
    let here: FlightStore;
    let there: FlightStore;
    const reopen = async (init: Partial<FlightStoreDeps> = {}) => {
      await tested?.close();
      tested = await open(flightDeps(init));
      ({ here, there } = tested);
    };
    beforeEach(() => reopen());
    afterEach(() => tested.close());

    test('of all callers that enter a key concurrently, on any replica, one leads', async () => {
      const entering = Array.from({ length: 50 }, (_, index) => (index % 2 ? here : there).enter(flightOf(), false));
      const entered = await Promise.all(entering);
      expect(entered.filter(({ leads }) => leads)).toHaveLength(1);
    });

    test('another key, or another tenant, has a flight of its own', async () => {
      expect((await here.enter(flightOf(), false)).leads).toBe(true);
      expect((await there.enter(flightOf({ key: '8'.repeat(64) }), false)).leads).toBe(true);
    });

    test('followers see what the leader says, from the first event on, and its end', async () => {
      const { flight } = await here.enter(flightOf(), false);
      await here.take('acme', flight.leaseId, 'ann');
      flight.append(said('one '), 4);
      const followed = await there.enter(flightOf(), false);
      expect(followed.leads).toBe(false);
      const leave = followed.flight.follow();
      await eventually(() => textOf(followed.flight)).toBe('one ');
      flight.append(said('two '), 4);
      flight.append(said('three'), 5);
      await eventually(() => textOf(followed.flight)).toBe('one two three');
      flight.end('finished', true);
      await eventually(() => followed.flight.state).toBe('finished');
      leave();
    });

    test.each(['before', 'after'])('if the leader gives up %s its fill, the next to enter leads', async (when) => {
      const { flight } = await here.enter(flightOf(), false);
      const followed = await there.enter(flightOf(), false);
      const leave = followed.flight.follow();
      if (when === 'after') {
        await here.take('acme', flight.leaseId, 'ann');
        flight.append(said('part'), 4);
      }
      flight.end('abandoned');
      await eventually(() => followed.flight.state).toBe('abandoned');
      expect(textOf(followed.flight)).toBe(when === 'after' ? 'part' : '');
      leave();
      const entered = await Promise.all([there.enter(flightOf(), false), here.enter(flightOf(), false)]);
      expect(entered.filter(({ leads }) => leads)).toHaveLength(1);
    });

    test('a lease is taken once, by its holder, on whatever replica', async () => {
      const { flight } = await here.enter(flightOf(), false);
      expect(await there.take('acme', flight.leaseId, 'bob')).toBeUndefined();
      expect(await there.take('other', flight.leaseId, 'ann')).toBeUndefined();
      expect(await there.take('acme', 'no lease', 'ann')).toBeUndefined();
      const taken = await there.take('acme', flight.leaseId, 'ann');
      expect(taken).toMatchObject({ ...flightOf(), leaseId: flight.leaseId, state: 'filling' });
      expect(await here.take('acme', flight.leaseId, 'ann')).toBeUndefined();
      expect(await there.take('acme', flight.leaseId, 'ann')).toBeUndefined();
    });

    test('a lease that another replica fills is followed on the replica that issued it', async () => {
      const { flight } = await here.enter(flightOf(), false);
      const behind = await here.enter(flightOf(), false);
      expect(behind.leads).toBe(false);
      const leave = behind.flight.follow();
      const taken = (await there.take('acme', flight.leaseId, 'ann')) as Flight;
      taken.append(said('from there'), 10);
      await eventually(() => textOf(behind.flight)).toBe('from there');
      taken.end('finished', true);
      await eventually(() => behind.flight.state).toBe('finished');
      leave();
    });

    test('a lease that is not taken in time is lost', async () => {
      await reopen({ leaseTtlMs: 50 });
      const { flight } = await here.enter(flightOf(), false);
      const followed = await there.enter(flightOf(), false);
      const leave = followed.flight.follow();
      await eventually(() => followed.flight.state).toBe('abandoned');
      leave();
      expect(await here.take('acme', flight.leaseId, 'ann')).toBeUndefined();
      expect((await there.enter(flightOf(), false)).leads).toBe(true);
    });

    test('a caller that enters alone leads beside another one', async () => {
      expect((await here.enter(flightOf(), false)).leads).toBe(true);
      const alone = await there.enter(flightOf(), true);
      expect(alone.leads).toBe(true);
      expect(await there.take('acme', alone.flight.leaseId, 'ann')).toBeDefined();
    });

    test('a flight that an invalidation concerns has no new followers and is not stored', async () => {
      const { flight } = await here.enter(flightOf(), false);
      here.taint('acme', { kind: 'label', label: 'model:other' });
      expect(here.followable(flight.key)).toBe(flight);
      here.taint('other', { kind: 'all' });
      expect(flight.isTainted).toBe(false);
      here.taint('acme', { kind: 'label', label: 'document:any' });
      expect(flight.isTainted).toBe(true);
      expect(here.followable(flight.key)).toBeUndefined();
    });

    test('more flights than the bound are led all the same, and cannot be filled', async () => {
      await reopen({ maxFlights: 1 });
      await here.enter(flightOf(), false);
      const { flight, leads } = await here.enter(flightOf({ key: '9'.repeat(64) }), false);
      expect(leads).toBe(true);
      expect(await here.take('acme', flight.leaseId, 'ann')).toBeUndefined();
    });

    test('an answer larger than the largest is refused', async () => {
      const { flight } = await here.enter(flightOf(), false);
      flight.append(said('x'), 1000);
      expect(() => flight.append(said('x'), 1)).toThrow(/larger/);
    });
  });
}
