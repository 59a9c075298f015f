import { describe, expect, test } from 'vitest';
import { demandOf } from '../suites/limit-store.suite.ts';
import {
  mayCall,
  nextReservation,
  nextServer,
  type Reservation,
  type ReservationEvent,
  type ServerEvent,
  serverUp,
} from './shared-store-state.ts';

const demand = demandOf('a', { requestsPerMinute: 1 });
const used = { tokens: 5, costMicros: 7 };
const admitted = (isRemote: boolean): ReservationEvent => ({ kind: 'admitted', demand, at: 1, isRemote });
const settled = (isServerDown: boolean, given: typeof used | undefined = used): ReservationEvent => ({
  kind: 'settled',
  used: given,
  isServerDown,
});
const unmade = (isServerDown: boolean): ReservationEvent => ({ kind: 'settled', used: undefined, isServerDown });
const late: ReservationEvent = { kind: 'admitted-late', demand, at: 1 };
const held = (isRemote: boolean) => ({ phase: 'held', demand, at: 1, isRemote });
const owed = (isRemote: boolean, given: typeof used | undefined = used) => {
  return { phase: 'owed', demand, at: 1, isRemote, used: given };
};

describe('a reservation', () => {
  test.each<[string, ReservationEvent[], object | undefined]>([
    ['is held once the server has admitted it', [admitted(true)], held(true)],
    ['is held by this process alone while the server is down', [admitted(false)], held(false)],
    ['reaches the server when it answers again', [admitted(false), { kind: 'restored' }], held(true)],
    ['becomes a settlement that the server must confirm', [admitted(true), settled(false)], owed(true)],
    ['is gone once the settlement is confirmed', [admitted(true), settled(false), { kind: 'confirmed' }], undefined],
    ['is restored first if the server is down at its settlement', [admitted(true), settled(true)], owed(false)],
    ['of this process alone is restored before its settlement', [admitted(false), settled(false)], owed(false)],
    [
      'that the server does not know is gone if its request was never made',
      [admitted(false), unmade(false)],
      undefined,
    ],
    [
      'that the server knows is undone if its request was never made',
      [admitted(true), unmade(false)],
      { phase: 'owed', used: undefined },
    ],
    [
      'is undone if the server admits it after the request was refused',
      [late],
      { phase: 'owed', isRemote: true, used: undefined },
    ],
    ['stays if the server admits it after this process did', [admitted(false), late], held(false)],
    ['stays if it is admitted twice', [admitted(true), admitted(false)], held(true)],
    ['is settled once', [admitted(true), settled(false), settled(true)], owed(true)],
    ['that nobody has made is not settled', [settled(false)], undefined],
    ['that runs is not removed by a confirmation', [admitted(true), { kind: 'confirmed' }], held(true)],
  ])('%s', (_, events, wanted) => {
    const state = events.reduce<Reservation>(nextReservation, undefined);
    if (wanted === undefined) expect(state).toBeUndefined();
    else expect(state).toMatchObject(wanted);
  });
});

describe('the server', () => {
  const failed: ServerEvent = { kind: 'failed', now: 100, at: 5000, retryMs: 50 };
  const stateAfter = (...events: ServerEvent[]) => events.reduce(nextServer, serverUp);
  test('is called while it answers', () => {
    expect(mayCall(serverUp, 0)).toBe(true);
    expect(stateAfter({ kind: 'called', now: 0, retryMs: 50 })).toBe(serverUp);
  });

  test('is probed by one caller after each pause while it is down', () => {
    const down = stateAfter(failed);
    expect([mayCall(down, 149), mayCall(down, 150)]).toEqual([false, true]);
    const probed = nextServer(down, { kind: 'called', now: 150, retryMs: 50 });
    expect([mayCall(probed, 151), mayCall(probed, 200)]).toEqual([false, true]);
  });

  test('is down since its first failure, and up after its first answer', () => {
    expect(stateAfter(failed, { ...failed, now: 300, at: 5200 })).toMatchObject({ downSince: 5000, retryAt: 350 });
    expect(stateAfter(failed, { kind: 'lost' })).toMatchObject({ lostCount: 1 });
    expect(stateAfter(failed, { kind: 'lost' }, { kind: 'answered' })).toEqual(serverUp);
  });
});
