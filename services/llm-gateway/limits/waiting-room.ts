import type { ConnectError } from '@connectrpc/connect';
import { createFairQueue } from './fair-queue.ts';
import type { Decision, Demand, Refusal } from './limit-store.ts';
import { noTurn } from './refusal.ts';

/** Time from one look to the next at slots that other processes may free, in milliseconds. */
const pollMs = 100;

/** What a waiting room needs. */
export interface WaitingRoomParts {
  reserve(demand: Demand): Promise<Decision>;
  /** Takes a reservation back whose request has gone. */
  undo(id: string): Promise<void>;
  /** Whether slots come free without a call of `slotFreed`. */
  isShared: boolean;
  /** A number from 0 up to 1. */
  random: () => number;
  bounds(): { queueSize: number; queueWaitMs: number };
}

/** What came of a request. `demand` is the one that counted: limits may change while a request waits. */
export type Entered = { demand: Demand } & ({ kind: 'admitted' } | { kind: 'refused'; refusal: Refusal });

/** Reserves for requests, and lets those wait that only a limit on requests under way holds up. */
export interface WaitingRoom {
  readonly size: number;
  /**
   * Reserves at once, or after a wait for a slot: in order within a tenant, where keys of their own limit do not hold up others. Throws
   * RESOURCE_EXHAUSTED where the queue is full or the wait too long, and the signal's reason; then nothing is reserved.
   */
  enter(toDemand: () => Demand, first: Demand, signal: AbortSignal): Promise<Entered>;
  /** A reservation of the tenant was settled. */
  slotFreed(tenant: string): void;
  limitsChanged(): void;
  /** Everybody who waits gets the error. */
  close(error: ConnectError): void;
}

interface Waiter {
  toDemand: () => Demand;
  demand: Demand;
  /** The scope whose slots are all taken. */
  blockedBy: string;
  isOver: boolean;
  resolve(entered: Entered): void;
  reject(error: unknown): void;
}

/** Creates a waiting room. */
export function createWaitingRoom({ reserve, undo, isShared, random, bounds }: WaitingRoomParts): WaitingRoom {
  const queue = createFairQueue<Waiter>(() => bounds().queueSize);
  /** Tenants whose line is being called up, and whether to begin again since something has changed. */
  const calling = new Map<string, { again: boolean }>();
  let freedCount = 0;
  let poll: NodeJS.Timeout | undefined;

  const schedulePoll = () => {
    if (!isShared || poll !== undefined || queue.size === 0) return;
    poll = setTimeout(
      () => {
        poll = undefined;
        for (const tenant of queue.turns()) callUp(tenant);
        schedulePoll();
      },
      pollMs * (0.75 + random() / 2),
    );
  };
  const callUp = (tenant: string) => {
    const running = calling.get(tenant);
    if (running !== undefined) running.again = true;
    else if (queue.line(tenant).length > 0) void callLine(tenant);
  };
  const callLine = async (tenant: string) => {
    const state = { again: true };
    calling.set(tenant, state);
    while (state.again) {
      state.again = false;
      const full = new Set<string>();
      for (const waiter of [...queue.line(tenant)]) {
        // A slot of a key is no use to those of another key; one of the tenant is to all.
        if (full.has('tenant')) break;
        if (!waiter.isOver && !full.has(waiter.blockedBy)) await callOne(waiter, full);
      }
    }
    calling.delete(tenant);
  };
  const callOne = async (waiter: Waiter, full: Set<string>) => {
    try {
      waiter.demand = waiter.toDemand();
      const { demand } = waiter;
      const decision = await reserve(demand);
      if (waiter.isOver) {
        if (decision.admitted) await undo(demand.id);
      } else if (decision.admitted) waiter.resolve({ kind: 'admitted', demand });
      else if (decision.kind !== 'maxConcurrent') waiter.resolve({ kind: 'refused', refusal: decision, demand });
      else {
        waiter.blockedBy = scopeAt(demand, decision.scopeIndex);
        full.add(waiter.blockedBy);
      }
    } catch (error) {
      waiter.reject(error);
    }
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
        waiter.reject(noTurn(waiter.demand, indexOf(waiter), ', and none came free in time'));
      }, bounds().queueWaitMs);
      signal.addEventListener('abort', onAbort, { once: true });
      const gone = queue.add(tenant, waiter);
      gone?.reject(noTurn(gone.demand, indexOf(gone), ', and too many wait already'));
    });

  return {
    get size() {
      return queue.size;
    },
    async enter(toDemand, first, signal) {
      const { tenant } = first;
      const freedBefore = freedCount;
      // Nobody overtakes those who wait for the same slots.
      let blockedBy = queue
        .line(tenant)
        .find((waiter) => first.scopes.some(({ name }) => name === waiter.blockedBy))?.blockedBy;
      if (blockedBy === undefined) {
        const decision = await reserve(first);
        if (signal.aborted) {
          if (decision.admitted) {
            await undo(first.id);
            freedCount += 1;
            callUp(tenant);
          }
          throw signal.reason;
        }
        if (decision.admitted) return { kind: 'admitted', demand: first };
        if (decision.kind !== 'maxConcurrent') return { kind: 'refused', refusal: decision, demand: first };
        blockedBy = scopeAt(first, decision.scopeIndex);
      }
      const entered = wait(toDemand, first, blockedBy, signal);
      // A slot that came free between the look and the queue would wait for the next one; and the line may be being called.
      if (freedCount !== freedBefore || calling.has(tenant)) callUp(tenant);
      schedulePoll();
      return entered;
    },
    slotFreed(tenant) {
      freedCount += 1;
      callUp(tenant);
    },
    limitsChanged() {
      freedCount += 1;
      for (const tenant of queue.turns()) callUp(tenant);
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
