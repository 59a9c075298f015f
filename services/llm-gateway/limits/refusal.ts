import { Code, type ConnectError } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, rpcError, unavailable } from '#kit/base/errors.ts';
import type { Demand, LimitKind, Refusal, Scope } from './limit-store.ts';
import { soonMs } from './windows.ts';

/** Names and units of limits, as the configuration has them. */
const kinds: Record<LimitKind, { name: string; unit: string; reason: ErrorReason }> = {
  requestsPerMinute: { name: 'requests_per_minute', unit: 'requests a minute', reason: ErrorReason.RATE_LIMITED },
  tokensPerMinute: { name: 'tokens_per_minute', unit: 'tokens a minute', reason: ErrorReason.RATE_LIMITED },
  costMicrosPerDay: {
    name: 'cost_micros_per_day',
    unit: 'millionths of the currency a day',
    reason: ErrorReason.BUDGET_EXCEEDED,
  },
  costMicrosPerMonth: {
    name: 'cost_micros_per_month',
    unit: 'millionths of the currency a month',
    reason: ErrorReason.BUDGET_EXCEEDED,
  },
  maxConcurrent: { name: 'max_concurrent', unit: 'concurrent requests', reason: ErrorReason.RATE_LIMITED },
};

/** Returns the configuration's name of a limit. */
export const limitName = (kind: LimitKind): string => kinds[kind].name;

/** Returns the layer of a scope: "tenant", "cost_centre", "key", "user" or "model". */
export const layerOf = ({ name }: Scope): string => name.split(':', 1)[0] ?? name;

/** Returns the name of what is limited in its layer. */
export const nameOf = (scope: Scope, tenant: string): string =>
  scope.name === 'tenant' ? tenant : scope.name.slice(layerOf(scope).length + 1);

/**
 * Returns the error of a refused request: it names the layer and the limit, what remains of it, and the time of the next try. `nowMs` is for
 * that time, in milliseconds since 1970; `undefined`: it is not known when the limit allows more.
 */
export function refusedError(refusal: Refusal, demand: Demand, nowMs: number | undefined, why = ''): ConnectError {
  const { kind, scopeIndex, retryAfterMs, remaining } = refusal;
  const scope = demand.scopes[scopeIndex] as Scope;
  const { name, unit, reason } = kinds[kind];
  const limit = scope.limits[kind];
  const of = `the limit of this ${layerOf(scope).replace('_', ' ')} is ${limit} ${unit}`;
  const metadata = {
    ...{ limit: name, scope: layerOf(scope), name: nameOf(scope, demand.tenant), value: String(limit) },
    ...(remaining !== undefined && { remaining: String(remaining) }),
    ...(retryAfterMs !== undefined &&
      nowMs !== undefined && { resets_at: new Date(nowMs + retryAfterMs).toISOString() }),
  };
  if (retryAfterMs === undefined) {
    const amount = reason === ErrorReason.BUDGET_EXCEEDED ? demand.costMicros : demand.tokens;
    const message = `${of}, and the request alone may use ${amount}: ask for a shorter completion (max_tokens)`;
    return rpcError(Code.ResourceExhausted, reason, message, { metadata });
  }
  const message = `${of}${why}: try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return rpcError(Code.ResourceExhausted, reason, message, { metadata, retryAfterMs });
}

/** Returns the error of a request that did not get a slot. */
export function noSlotError(demand: Demand, scopeIndex: number, why: string): ConnectError {
  const refusal = {
    admitted: false as const,
    kind: 'maxConcurrent' as const,
    scopeIndex,
    retryAfterMs: soonMs,
    remaining: 0,
  };
  return refusedError(refusal, demand, undefined, why);
}

/** Returns the error of a request under a budget of money whose model has no price. */
export function unpricedError(model: string, scope: Scope): ConnectError {
  const message = `this ${layerOf(scope).replace('_', ' ')} has a budget of money, and "${model}" has no price: add one to llm_gateway.prices, or name another model`;
  return failedPrecondition(ErrorReason.MODEL_UNPRICED, message, { metadata: { model, scope: layerOf(scope) } });
}

/** Returns the error of a request to a gateway that shuts down. */
export const closingError = (): ConnectError => unavailable('llm-gateway', 'the gateway is shutting down: try again');
