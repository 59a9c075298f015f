import { Counter, Gauge } from 'prom-client';
import type { LLMLimitsConfig } from '#gen/ragmesh/config/v1/config_pb.ts';
import { ConfigError } from '#kit/base/config-error.ts';
import { readStandings } from '../operations/standings.ts';
import type { LimitState } from './limit-state.ts';
import type { Decision, Demand, LimitStoreDeps, MinuteUse, Refusal, Scope } from './limit-store.ts';
import type { AdmissionRequest, Limits, MinuteStanding, Reservation, SpendWatch } from './limits.ts';
import { closingError, layerOf, limitName, refusedError, unpricedError } from './refusal.ts';
import { readRules, toAmount } from './rules/rules.ts';
import type { StoredLimits } from './rules/stored-limits.ts';
import { createWaitingRoom } from './waiting-room.ts';
import { slotCount, slotMs, soonMs } from './windows.ts';

/** What the limits depend on. */
export interface LimitsDeps extends Pick<LimitStoreDeps, 'clock' | 'random' | 'metrics'> {
  store: LimitState;
  /** Learns what is spent. @default none */
  watch?: SpendWatch;
  /** Limits that administrators have stored. @default none */
  stored?: Pick<StoredLimits, 'of' | 'onChange'>;
}

/**
 * Creates the limits of the configuration over their counters. A request without limits is admitted without a call of the store. `path`:
 * the place of the limits in the configuration. Throws ConfigError for invalid limits.
 */
export function createLimits(
  config: LLMLimitsConfig | undefined,
  deps: LimitsDeps,
  path = 'llm_gateway.limits',
): Limits {
  const { store } = deps;
  let rules = readRules(config, path, deps.stored);
  const storeKey = JSON.stringify(rules.store);
  const ids = createReservationIds(deps.random);
  let admitted = 0;
  let isClosed = false;

  const toDemand = (id: string, request: AdmissionRequest): Demand => {
    const { tenant, model } = request;
    const scopes = rules.scopesOf(request, deps.clock());
    if (scopes.length === 0) return { id, tenant, scopes, tokens: 0, costMicros: 0 };
    const { tokens, costMicros } = request.amount();
    const budget = scopes.find(({ limits }) => limits.costMicrosPerDay > 0 || limits.costMicrosPerMonth > 0);
    if (budget !== undefined && costMicros === undefined) throw unpricedError(model, budget);
    return { id, tenant, scopes, tokens: toAmount(tokens), costMicros: toAmount(costMicros ?? 0n) };
  };
  const reserve = async (demand: Demand): Promise<Decision> =>
    demand.scopes.length === 0 ? { admitted: true } : store.reserve(demand);
  const room = createWaitingRoom({
    reserve,
    undo: (id) => store.settle(id, undefined),
    isShared: store.isShared,
    random: deps.random,
    bounds: () => rules,
  });
  deps.stored?.onChange(() => room.limitsChanged());
  const refused = (refusal: Refusal, demand: Demand) => {
    const scope = demand.scopes[refusal.scopeIndex];
    if (scope !== undefined) {
      metrics.refused.inc({ limit: limitName(refusal.kind), scope: layerOf(scope) });
      // Not if the request alone is too large, nor if only reservations of others refuse it.
      if ((refusal.retryAfterMs ?? 0) > soonMs) deps.watch?.refused(demand.tenant, scope, refusal.kind);
    }
    return refusedError(refusal, demand, deps.clock());
  };
  const metrics = createLimitMetrics(deps, () => ({ admitted, waiting: room.size }));

  const toReservation = ({ id, tenant, scopes }: Demand, minutes?: readonly MinuteUse[]): Reservation => {
    admitted += 1;
    let isOpen = true;
    const now = minutes === undefined ? 0 : deps.clock();
    return {
      requests: standingOf('requests', scopes, minutes, now),
      tokens: standingOf('tokens', scopes, minutes, now),
      settle(used) {
        if (!isOpen) return;
        isOpen = false;
        admitted -= 1;
        if (scopes.length === 0) return;
        const amounts = { tokens: toAmount(used.tokens), costMicros: toAmount(used.costMicros) };
        void store.settle(id, amounts).then(() => room.slotFreed(tenant));
        deps.watch?.spent(tenant, scopes);
      },
    };
  };

  return {
    async admit(request, signal) {
      signal.throwIfAborted();
      if (isClosed) throw closingError();
      const id = ids(request.requestId);
      const demand = toDemand(id, request);
      if (demand.scopes.length === 0) return toReservation(demand);
      const outcome = await room.enter(() => toDemand(id, request), demand, signal);
      if (outcome.kind === 'refused') throw refused(outcome.refusal, outcome.demand);
      return toReservation(outcome.demand, outcome.minutes);
    },
    maxCompletionTokens: (limited) => rules.maxCompletionTokens(limited, deps.clock()),
    costCentreOf: (limited) => rules.costCentreOf(limited) ?? '',
    async standings(tenant, others) {
      const now = deps.clock();
      const named = rules.named(tenant, others, now);
      const uses = await store.read(
        tenant,
        named.map(({ scope }) => scope),
      );
      return { standings: readStandings(named, uses, others, now), isShared: store.isShared };
    },
    reconfigure(next) {
      const given = readRules(next, path, deps.stored);
      if (JSON.stringify(given.store) !== storeKey) {
        throw new ConfigError(`${path}.store`, 'cannot change while the gateway runs: restart it');
      }
      rules = given;
      room.limitsChanged();
    },
    get load() {
      return { admitted, waiting: room.size };
    },
    async close() {
      isClosed = true;
      room.close(closingError());
    },
  };
}

/** Returns what is left of the minute in the scope with the least left; `undefined`: no scope has such a limit, or `minutes` is not known. */
function standingOf(
  kind: keyof MinuteUse,
  scopes: readonly Scope[],
  minutes: readonly MinuteUse[] | undefined,
  nowMs: number,
): MinuteStanding | undefined {
  let least: { limit: number; remaining: number } | undefined;
  for (const [index, use] of (minutes ?? []).entries()) {
    const limit = scopes[index]?.limits[kind === 'requests' ? 'requestsPerMinute' : 'tokensPerMinute'] ?? 0;
    const remaining = Math.max(0, limit - use[kind]);
    if (limit > 0 && (least === undefined || remaining < least.remaining)) least = { limit, remaining };
  }
  if (least === undefined) return undefined;
  // What was used last leaves the window last.
  const resetMs = (Math.floor(nowMs / slotMs) + slotCount) * slotMs - nowMs;
  return { limit: BigInt(least.limit), remaining: BigInt(least.remaining), resetMs };
}

/** Creates ids that no process uses twice, and that begin with the id of the request. */
function createReservationIds(random: () => number): (requestId: string) => string {
  const process = Math.floor(random() * 2 ** 48).toString(36);
  let count = 0;
  return (requestId) => `${requestId}.${process}.${(++count).toString(36)}`;
}

function createLimitMetrics({ metrics }: LimitsDeps, load: () => Limits['load']) {
  const registers = [metrics.registry];
  new Gauge({
    name: 'ragmesh_llm_requests',
    help: 'Requests to models, by state: admitted, or waiting for a slot',
    labelNames: ['state'],
    registers,
    collect() {
      const { admitted, waiting } = load();
      this.set({ state: 'admitted' }, admitted);
      this.set({ state: 'waiting' }, waiting);
    },
  });
  return {
    refused: new Counter({
      name: 'ragmesh_llm_limit_refused_total',
      help: 'Requests refused by a limit of a tenant, cost centre, key, user or model',
      labelNames: ['limit', 'scope'],
      registers,
    }),
  };
}
