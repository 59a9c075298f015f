import { Counter } from 'prom-client';
import { unavailable } from '#kit/base/errors.ts';
import { within } from '#kit/base/within.ts';
import type { Decision, Demand, LimitStore, LimitStoreDeps, Scope, ScopeUse, Used } from './limit-store.ts';
import type { MemoryStore } from './memory-store.ts';
import {
  type HeldReservation,
  mayCall,
  nextReservation,
  nextServer,
  type OwedSettlement,
  type Reservation,
  type ReservationEvent,
  serverUp,
} from './shared-store-state.ts';

/** Counters on a server that several processes share. Every call may fail or hang. */
export interface RemoteCounters {
  /** `isForced`: reserves without a check of the limits. `at`: when the request arrived, in milliseconds since 1970. */
  reserve(demand: Demand, at: number, leaseMs: number, isForced: boolean): Promise<Decision>;
  settle(demand: Demand, used: Used | undefined): Promise<void>;
  /** Extends the leases of the reservations by `leaseMs`. */
  renew(demands: readonly Demand[], leaseMs: number): Promise<void>;
  /** Returns what is used of scopes of a tenant. */
  read(tenant: string, scopes: readonly Scope[]): Promise<ScopeUse[]>;
  close(): Promise<void>;
}

/** How the store handles a server that is slow or down. */
export interface SharedStoreOptions {
  /** Longest wait for the server, in milliseconds. */
  timeoutMs: number;
  /** Time between a failure and the next call, in milliseconds. */
  retryMs: number;
  /** Time after which a reservation of a dead process ends, in milliseconds. */
  leaseMs: number;
  /** Whether requests continue with the counters of this process while the server is down; otherwise they are refused. */
  isFailOpen: boolean;
}

/** Settlements that wait for the server; beyond that, the oldest one is dropped. */
const maxOwed = 50_000;
/** Reservations and settlements that are sent again concurrently. */
const resyncBatch = 100;

/**
 * Creates a store over counters on a server. No request waits for a server that is slow or down: after the first failure every request
 * uses the counters of this process, which mirror all that it admitted, and one request after each `retryMs` probes the server. When the
 * server answers again, it receives what it has missed: reservations of running requests, and settlements. Reservations are leases,
 * which this process renews while it lives. The decisions are in `shared-store-state.ts`.
 */
export function createSharedStore(
  remote: RemoteCounters,
  local: MemoryStore,
  options: SharedStoreOptions,
  deps: LimitStoreDeps,
): LimitStore {
  const { leaseMs, isFailOpen } = options;
  const { clock, log } = deps;
  const held = new Map<string, HeldReservation>();
  const owed = new Map<string, OwedSettlement>();
  const deliveries = new Map<string, Promise<void>>();
  let isRenewing = false;
  const fallbacks = createFallbackCounter(deps);
  const server = createServer(options, deps, { owedCount: () => owed.size, onBack: () => void resync() });

  const apply = (id: string, event: ReservationEvent): Reservation => {
    const after = nextReservation(held.get(id) ?? owed.get(id), event);
    if (after?.phase === 'held') held.set(id, after);
    else held.delete(id);
    if (after?.phase === 'owed') owe(id, after);
    else owed.delete(id);
    return after;
  };
  const owe = (id: string, settlement: OwedSettlement) => {
    const oldest = owed.keys().next().value;
    if (owed.size >= maxOwed && oldest !== undefined && !owed.has(id)) {
      owed.delete(oldest);
      server.lost();
    }
    owed.set(id, settlement);
  };
  // Reserving and settling may be repeated: a reservation that exists stays as it is, and a settled one is gone.
  const restore = async (id: string, { demand, at }: HeldReservation | OwedSettlement) => {
    await server.call(() => remote.reserve(demand, at, leaseMs, true));
    apply(id, { kind: 'restored' });
  };
  const deliverOnce = async (id: string, settlement: OwedSettlement) => {
    if (!settlement.isRemote) await restore(id, settlement);
    await server.call(() => remote.settle(settlement.demand, settlement.used));
    apply(id, { kind: 'confirmed' });
  };
  /** Delivers a settlement; at most one delivery of it runs, so that a settled reservation is not restored. */
  const deliver = (id: string, settlement: OwedSettlement): Promise<void> => {
    const running = deliveries.get(id);
    if (running !== undefined) return running;
    const delivery = deliverOnce(id, settlement).finally(() => deliveries.delete(id));
    deliveries.set(id, delivery);
    return delivery;
  };
  /** Sends the server what it has missed, or forgotten: reservations of running requests, then settlements. */
  const resync = singleFlight(async () => {
    const running = [...held];
    for (let start = 0; start < running.length && server.isUp(); start += resyncBatch) {
      const batch = running.slice(start, start + resyncBatch).filter(([id, each]) => held.get(id) === each);
      await Promise.allSettled(batch.map(([id, each]) => restore(id, each)));
    }
    while (owed.size > 0 && server.isUp()) {
      await Promise.allSettled([...owed].slice(0, resyncBatch).map(([id, each]) => deliver(id, each)));
    }
  });
  const renewLeases = async () => {
    if (isRenewing) return;
    isRenewing = true;
    const demands = [...held.values(), ...owed.values()].filter(({ isRemote }) => isRemote).map(({ demand }) => demand);
    try {
      if (demands.length > 0 && server.mayCall()) await server.call(() => remote.renew(demands, leaseMs));
      const oldest = owed.entries().next().value;
      if (oldest !== undefined && server.mayCall()) await deliver(...oldest);
    } catch (error) {
      log.debug({ err: error, event: 'limit_lease_renew_failed' }, 'lease renewal failed, retry follows');
    } finally {
      isRenewing = false;
    }
  };
  const timer = setInterval(renewLeases, leaseMs / 3);
  timer.unref();

  const reserveRemotely = async (demand: Demand): Promise<Decision> => {
    const at = clock();
    const onLate = (decision: Decision) => {
      if (decision.admitted) apply(demand.id, { kind: 'admitted-late', demand, at });
    };
    const decision = await server.call(() => remote.reserve(demand, at, leaseMs, false), onLate);
    if (!decision.admitted) return decision;
    apply(demand.id, { kind: 'admitted', demand, at, isRemote: true });
    local.mirror(demand);
    return decision;
  };

  return {
    isShared: true,
    async reserve(demand) {
      if (held.has(demand.id)) return { admitted: true };
      if (server.mayCall()) {
        try {
          return await reserveRemotely(demand);
        } catch (error) {
          if (!isFailOpen) throw storeUnavailable(error);
        }
      }
      fallbacks.inc();
      if (!isFailOpen) throw storeUnavailable(undefined);
      const decision = await local.reserve(demand);
      if (decision.admitted) apply(demand.id, { kind: 'admitted', demand, at: clock(), isRemote: false });
      return decision;
    },
    async settle(id, used) {
      if (!held.has(id)) return;
      const settled = apply(id, { kind: 'settled', used, isServerDown: !server.isUp() });
      await local.settle(id, used);
      if (settled?.phase !== 'owed' || !server.isUp()) return;
      // A settlement that fails stays owed: its lease is renewed, and it is delivered again until the server confirms it.
      await deliver(id, settled).catch(() => {});
    },
    async read(tenant, scopes) {
      if (!server.isUp()) return local.read(tenant, scopes);
      return server.call(() => remote.read(tenant, scopes)).catch(() => local.read(tenant, scopes));
    },
    async close() {
      clearInterval(timer);
      if (server.isUp()) await resync();
      await remote.close();
      await local.close();
    },
  };
}

/** Calls to the server, with a timeout, and the record of whether it answers. */
interface Server {
  isUp(): boolean;
  /** Returns whether the server may be called now; while it is down, the caller becomes its probe. */
  mayCall(): boolean;
  /** Throws if the server fails, or does not answer in time. `onLate` receives a result that arrives after that. */
  call<T>(work: () => Promise<T>, onLate?: (result: T) => void): Promise<T>;
  /** Records that a settlement was dropped. */
  lost(): void;
}

function createServer(
  { timeoutMs, retryMs, isFailOpen }: SharedStoreOptions,
  { clock, log }: LimitStoreDeps,
  { owedCount, onBack }: { owedCount(): number; onBack(): void },
): Server {
  let state = serverUp;
  const failed = (error: unknown) => {
    const wasUp = state.downSince === undefined;
    state = nextServer(state, { kind: 'failed', now: performance.now(), at: clock(), retryMs });
    if (!wasUp) return;
    const message = isFailOpen ? 'limit store down, local fallback' : 'limit store down, requests refused';
    log.error({ err: error, event: 'limit_store_down' }, message);
  };
  const answered = () => {
    const { downSince, lostCount } = state;
    if (downSince === undefined) return;
    const fields = { event: 'limit_store_up', down_ms: clock() - downSince, owed: owedCount(), lost: lostCount };
    log.info(fields, 'limit store answers again');
    state = nextServer(state, { kind: 'answered' });
    onBack();
  };
  return {
    isUp: () => state.downSince === undefined,
    mayCall() {
      const now = performance.now();
      const isAllowed = mayCall(state, now);
      if (isAllowed) state = nextServer(state, { kind: 'called', now, retryMs });
      return isAllowed;
    },
    async call(work, onLate = () => {}) {
      try {
        const result = await within(work, { timeoutMs, onLate, toTimeoutError: noAnswer });
        answered();
        return result;
      } catch (error) {
        failed(error);
        throw error;
      }
    },
    lost() {
      state = nextServer(state, { kind: 'lost' });
    },
  };
}

/** Returns `work` such that a call during a run starts no second run. */
function singleFlight(work: () => Promise<void>): () => Promise<void> {
  let isRunning = false;
  return async () => {
    if (isRunning) return;
    isRunning = true;
    await work().finally(() => {
      isRunning = false;
    });
  };
}

function createFallbackCounter({ metrics }: LimitStoreDeps): Counter {
  return new Counter({
    name: 'ragmesh_llm_limit_store_fallback_total',
    help: 'Requests that were counted by their process alone, or refused, because the limit store was down',
    registers: [metrics.registry],
  });
}

const storeUnavailable = (cause: unknown) =>
  unavailable('limit store', 'the counters of limits cannot be reached: try again', cause);

const noAnswer = (timeoutMs: number) => new Error(`no answer within ${timeoutMs} ms`);
