import type { ConnectError } from '@connectrpc/connect';
import { createFairQueue } from './fair-queue.ts';
import type { Decision, Demand, MinuteUse, Refusal } from './limit-store.ts';
import { noSlotError } from './refusal.ts';
import { next, type Pass, type PassEvent } from './waiting-pass.ts';

/** Time between two checks for slots that other processes may have freed, in milliseconds. */
const pollMs = 100;

/** What a waiting room depends on. */
export interface WaitingRoomDeps {
  reserve(demand: Demand): Promise<Decision>;
  /** Cancels a reservation whose request has left. */
  undo(id: string): Promise<void>;
  /** Whether slots can become free without a call of `slotFreed`. */
  isShared: boolean;
  /** A number from 0 up to 1. */
  random: () => number;
  bounds(): { queueSize: number; queueWaitMs: number };
}

/** The outcome of a request. `demand` is the one that counted: limits may change while a request waits. */
export type Entered = { demand: Demand } & (
  | { kind: 'admitted'; minutes: readonly MinuteUse[] | undefined }
  | { kind: 'refused'; refusal: Refusal }
);

/** Reserves for requests, and queues those that only a limit on concurrent requests holds up. */
export interface WaitingRoom {
  readonly size: number;
  /**
   * Reserves immediately, or after a wait for a slot. Requests of a tenant keep their order, but a full key does not hold up other keys.
   * Throws RESOURCE_EXHAUSTED if the queue is full or the wait too long, and the signal's reason; then nothing is reserved.
   */
  enter(toDemand: () => Demand, first: Demand, signal: AbortSignal): Promise<Entered>;
  /** Reports that a reservation of the tenant was settled. */
  slotFreed(tenant: string): void;
  limitsChanged(): void;
  /** Rejects all waiting requests with the error. */
  close(error: ConnectError): void;
}

interface Waiter {
  toDemand: () => Demand;
  demand: Demand;
  blockedBy: string;
  isOver: boolean;
  resolve(entered: Entered): void;
  reject(error: unknown): void;
}

/** Creates a waiting room: it tries the reservations that `waiting-pass.ts` chooses. */
export function createWaitingRoom({ reserve, undo, isShared, random, bounds }: WaitingRoomDeps): WaitingRoom {
  const queue = createFairQueue<Waiter>(() => bounds().queueSize);
  const passes = new Map<string, Pass<Waiter>>();
  let freedCount = 0;
  let poll: NodeJS.Timeout | undefined;

  const schedulePoll = () => {
    if (!isShared || poll !== undefined || queue.size === 0) return;
    poll = setTimeout(
      () => {
        poll = undefined;
        for (const tenant of queue.turns()) changed(tenant);
        schedulePoll();
      },
      pollMs * (0.75 + random() / 2),
    );
  };
  const apply = (tenant: string, event: PassEvent<Waiter>) => {
    const pass = next(passes.get(tenant), event);
    if (pass === undefined) passes.delete(tenant);
    else passes.set(tenant, pass);
    return pass;
  };
  const changed = (tenant: string) => {
    const isRunning = passes.has(tenant);
    const pass = apply(tenant, { kind: 'changed', line: queue.line(tenant) });
    if (!isRunning && pass !== undefined) void run(tenant, pass);
  };
  const slotFreed = (tenant: string) => {
    freedCount += 1;
    changed(tenant);
  };
  /** Cancels a reservation whose request has left; another request may have been refused because of it. */
  const giveBack = async ({ id, tenant }: Demand) => {
    await undo(id);
    slotFreed(tenant);
  };
  const run = async (tenant: string, started: Pass<Waiter>) => {
    for (let pass: Pass<Waiter> | undefined = started; pass !== undefined; ) {
      const full = await tryReserve(pass.current);
      const line = queue.line(tenant);
      pass = apply(tenant, full === undefined ? { kind: 'decided', line } : { kind: 'full', scope: full, line });
    }
  };
  /** Tries the reservation of a waiting request. Returns the scope whose slots are all taken; `undefined`: it waits no longer. */
  const tryReserve = async (waiter: Waiter): Promise<string | undefined> => {
    try {
      waiter.demand = waiter.toDemand();
      const { demand } = waiter;
      const decision = await reserve(demand);
      if (waiter.isOver) {
        if (decision.admitted) await giveBack(demand);
      } else if (decision.admitted) waiter.resolve({ kind: 'admitted', demand, minutes: decision.minutes });
      else if (decision.kind !== 'maxConcurrent') waiter.resolve({ kind: 'refused', refusal: decision, demand });
      else {
        waiter.blockedBy = scopeAt(demand, decision.scopeIndex);
        return waiter.blockedBy;
      }
    } catch (error) {
      waiter.reject(error);
    }
    return undefined;
  };
  const wait = (toDemand: () => Demand, demand: Demand, blockedBy: string, signal: AbortSignal) =>
    new Promise<Entered>((resolve, reject) => {
      const { tenant } = demand;
      const leave = () => {
        waiter.isOver = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        queue.remove(tenant, waiter);
      };
      const waiter: Waiter = {
        toDemand,
        demand,
        blockedBy,
        isOver: false,
        resolve(entered) {
          leave();
          resolve(entered);
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      const onAbort = () => waiter.reject(signal.reason);
      const timer = setTimeout(() => {
        waiter.reject(noSlotError(waiter.demand, indexOf(waiter), ', and no slot became free in time'));
      }, bounds().queueWaitMs);
      signal.addEventListener('abort', onAbort, { once: true });
      const evicted = queue.add(tenant, waiter);
      evicted?.reject(noSlotError(evicted.demand, indexOf(evicted), ', and too many requests wait already'));
    });

  return {
    get size() {
      return queue.size;
    },
    async enter(toDemand, first, signal) {
      const { tenant } = first;
      const freedBefore = freedCount;
      // A request does not overtake those that wait for the same slots.
      let blockedBy = queue
        .line(tenant)
        .find((waiter) => first.scopes.some(({ name }) => name === waiter.blockedBy))?.blockedBy;
      if (blockedBy === undefined) {
        const decision = await reserve(first);
        if (signal.aborted) {
          if (decision.admitted) await giveBack(first);
          throw signal.reason;
        }
        if (decision.admitted) return { kind: 'admitted', demand: first, minutes: decision.minutes };
        if (decision.kind !== 'maxConcurrent') return { kind: 'refused', refusal: decision, demand: first };
        blockedBy = scopeAt(first, decision.scopeIndex);
      }
      const entered = wait(toDemand, first, blockedBy, signal);
      // A slot may have become free between the check and the queue, and a running pass does not know this request.
      if (freedCount !== freedBefore || passes.has(tenant)) changed(tenant);
      schedulePoll();
      return entered;
    },
    slotFreed,
    limitsChanged() {
      freedCount += 1;
      for (const tenant of queue.turns()) changed(tenant);
    },
    close(error) {
      clearTimeout(poll);
      for (const tenant of queue.turns()) for (const waiter of [...queue.line(tenant)]) waiter.reject(error);
    },
  };
}

const scopeAt = (demand: Demand, index: number): string => demand.scopes[index]?.name ?? '';
const indexOf = ({ demand, blockedBy }: Waiter): number =>
  Math.max(
    0,
    demand.scopes.findIndex(({ name }) => name === blockedBy),
  );
