import { Counter } from 'prom-client';
import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Decision, Demand, LimitStore, LimitStoreDeps, Used } from './limit-store.ts';
import type { MemoryStore } from './memory-store.ts';

/** Counters on a server that several processes share. Every call may fail or hang. */
export interface RemoteCounters {
  /** `isForced`: reserves without asking whether it fits. `at`: when the request came, in milliseconds since 1970. */
  reserve(demand: Demand, at: number, leaseMs: number, isForced: boolean): Promise<Decision>;
  settle(demand: Demand, used: Used | undefined): Promise<void>;
  /** Lets reservations last for another `leaseMs`. */
  renew(demands: readonly Demand[], leaseMs: number): Promise<void>;
  close(): Promise<void>;
}

/** How the store deals with a server that is slow or away. */
export interface SharedStoreOptions {
  /** Longest wait for the server, in milliseconds. */
  timeoutMs: number;
  /** Time until it is asked again after a failure, in milliseconds. */
  retryMs: number;
  /** Time after which a reservation ends whose process has died, in milliseconds. */
  leaseMs: number;
  /** Whether requests go on by the counters of this process meanwhile; otherwise they are refused. */
  isFailOpen: boolean;
}

/** Settlements that wait for the server to come back; beyond that, the oldest is given up. */
const maxOwed = 50_000;
/** Reservations and settlements that are made up for at a time. */
const makeUpBatch = 100;

/** A reservation, and where it is. */
interface Held {
  demand: Demand;
  at: number;
  isRemote: boolean;
}

/** A settlement that the server has not confirmed. */
interface Owed extends Held {
  used: Used | undefined;
}

/**
 * Creates a store over counters on a server. While the server is slow or away, no request waits for it: the first failure makes every
 * request use the counters of this process, which have followed all that it admitted, and one request after each `retryMs` finds out
 * whether the server is back. What was admitted and settled meanwhile is made up for then, and what is under way is reserved again if the server has
 * forgotten it. Reservations are leases, renewed while this process lives.
 */
export function createSharedStore(
  remote: RemoteCounters,
  local: MemoryStore,
  { timeoutMs, retryMs, leaseMs, isFailOpen }: SharedStoreOptions,
  { clock, log, metrics }: LimitStoreDeps,
): LimitStore {
  const held = new Map<string, Held>();
  const owed = new Map<string, Owed>();
  let downSince: number | undefined;
  let retryAt = 0;
  let isMakingUp = false;
  let isRenewing = false;
  let lostCount = 0;
  const fallbacks = new Counter({
    name: 'ragmesh_llm_limit_store_fallback_total',
    help: 'Requests that were counted by their process alone, or refused, as the shared counters did not answer',
    registers: [metrics.registry],
  });

  const failed = (error: unknown) => {
    retryAt = performance.now() + retryMs;
    if (downSince !== undefined) return;
    downSince = clock();
    const policy = isFailOpen ? 'this process counts alone' : 'requests are refused';
    log.error({ err: error }, `the shared counters of limits do not answer: ${policy}`);
  };
  const answered = () => {
    if (downSince === undefined) return;
    log.info(
      { away_ms: clock() - downSince, owed: owed.size, lost: lostCount },
      'the shared counters of limits are back',
    );
    downSince = undefined;
    lostCount = 0;
    void makeUp();
  };
  /** Whether to ask the server: always while it answers; while it does not, one caller at a time, now and then. */
  const mayAsk = () => {
    if (downSince === undefined) return true;
    if (performance.now() < retryAt) return false;
    retryAt = performance.now() + retryMs;
    return true;
  };
  const ask = async <T>(call: () => Promise<T>, ifLate: (result: T) => void = () => {}): Promise<T> => {
    try {
      const result = await within(call, { timeoutMs, onLate: ifLate, toTimeoutError: noAnswer });
      answered();
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  const owe = (id: string, debt: Owed) => {
    const oldest = owed.keys().next().value;
    if (owed.size >= maxOwed && oldest !== undefined) {
      owed.delete(oldest);
      lostCount += 1;
    }
    owed.set(id, debt);
  };
  const restore = async (each: Held) => {
    await ask(() => remote.reserve(each.demand, each.at, leaseMs, true));
    each.isRemote = true;
  };
  // Either step may be done again: a reservation that there is stays as it is, and one that is settled is gone.
  const payOff = async (debt: Owed) => {
    if (!debt.isRemote) await restore(debt);
    await ask(() => remote.settle(debt.demand, debt.used));
  };
  /** Tells the server what it has missed, or forgotten: what is under way, then what was settled. */
  const makeUp = async () => {
    if (isMakingUp) return;
    isMakingUp = true;
    const running = [...held];
    for (let start = 0; start < running.length && downSince === undefined; start += makeUpBatch) {
      const still = running.slice(start, start + makeUpBatch).filter(([id, each]) => held.get(id) === each);
      await Promise.allSettled(still.map(([, each]) => restore(each)));
    }
    while (owed.size > 0 && downSince === undefined) {
      const batch = [...owed].slice(0, makeUpBatch);
      const results = await Promise.allSettled(batch.map(([, debt]) => payOff(debt)));
      for (const [index, [id]] of batch.entries()) if (results[index]?.status === 'fulfilled') owed.delete(id);
    }
    isMakingUp = false;
  };
  const tick = async () => {
    if (isRenewing) return;
    isRenewing = true;
    const demands = [...held.values(), ...owed.values()].filter(({ isRemote }) => isRemote).map(({ demand }) => demand);
    try {
      if (demands.length > 0 && mayAsk()) await ask(() => remote.renew(demands, leaseMs));
      const debt = owed.entries().next().value;
      if (debt !== undefined && mayAsk()) {
        await payOff(debt[1]);
        owed.delete(debt[0]);
      }
    } catch (error) {
      log.debug({ err: error }, 'leases were not renewed');
    } finally {
      isRenewing = false;
    }
  };
  const timer = setInterval(tick, leaseMs / 3);
  timer.unref();

  const reserveRemotely = async (demand: Demand): Promise<Decision> => {
    const at = clock();
    const tooLate = (decision: Decision) => {
      // A request that goes on by the counters here, or has done so, takes it over when the server is back. Else nobody counts on it.
      const isWanted = held.has(demand.id) || owed.has(demand.id);
      if (decision.admitted && !isWanted) owe(demand.id, { demand, at, isRemote: true, used: undefined });
    };
    const decision = await ask(() => remote.reserve(demand, at, leaseMs, false), tooLate);
    if (!decision.admitted) return decision;
    held.set(demand.id, { demand, at, isRemote: true });
    local.mirror(demand);
    return decision;
  };

  return {
    isShared: true,
    async reserve(demand) {
      if (held.has(demand.id)) return { admitted: true };
      if (mayAsk()) {
        try {
          return await reserveRemotely(demand);
        } catch (error) {
          if (!isFailOpen) throw away(error);
        }
      }
      fallbacks.inc();
      if (!isFailOpen) throw away(undefined);
      const decision = await local.reserve(demand);
      if (decision.admitted) held.set(demand.id, { demand, at: clock(), isRemote: false });
      return decision;
    },
    async settle(id, used) {
      const found = held.get(id);
      if (found === undefined) return;
      held.delete(id);
      await local.settle(id, used);
      if (!found.isRemote && used === undefined) return;
      const debt = { ...found, used };
      // The server may forget the reservation before it comes back.
      if (downSince !== undefined) return owe(id, { ...debt, isRemote: false });
      try {
        await payOff(debt);
      } catch {
        // `ask` has told it; the lease is renewed and the settlement tried again until the server has it.
        owe(id, debt);
      }
    },
    async close() {
      clearInterval(timer);
      if (downSince === undefined) await makeUp();
      await remote.close();
      await local.close();
    },
  };
}

const away = (cause: unknown) =>
  unavailable('limit store', 'the counters of limits cannot be reached: try again', cause);

const noAnswer = (timeoutMs: number) => new Error(`no answer within ${timeoutMs} ms`);
