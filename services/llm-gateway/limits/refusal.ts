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
  maxConcurrent: { name: 'max_concurrent', unit: 'requests at once', reason: ErrorReason.RATE_LIMITED },
};

/** The configuration's name of a limit. */
export const limitName = (kind: LimitKind): string => kinds[kind].name;

/** "tenant" or "key". */
export const scopeKind = ({ name }: Scope): string => (name === 'tenant' ? 'tenant' : 'key');

/** Why a request is refused, for the caller: which limit, and when it may come again. */
export function refusedError({ kind, scopeIndex, retryAfterMs }: Refusal, demand: Demand, why = ''): ConnectError {
  const scope = demand.scopes[scopeIndex] as Scope;
  const { name, unit, reason } = kinds[kind];
  const limit = scope.limits[kind];
  const of = `the limit of this ${scopeKind(scope)} is ${limit} ${unit}`;
  const metadata = { limit: name, scope: scopeKind(scope), value: String(limit) };
  if (retryAfterMs === undefined) {
    const amount = reason === ErrorReason.BUDGET_EXCEEDED ? demand.costMicros : demand.tokens;
    const message = `${of}, and the request alone may use ${amount}: ask for a shorter completion (max_tokens)`;
    return rpcError(Code.ResourceExhausted, reason, message, { metadata });
  }
  const message = `${of}${why}: try again in ${Math.ceil(retryAfterMs / 1000)} s`;
  return rpcError(Code.ResourceExhausted, reason, message, { metadata, retryAfterMs });
}

/** A request that would wait for a slot, and cannot. */
export function noTurn(demand: Demand, scopeIndex: number, why: string): ConnectError {
  return refusedError({ admitted: false, kind: 'maxConcurrent', scopeIndex, retryAfterMs: soonMs }, demand, why);
}

/** A budget of money cannot be kept by a model that nobody knows the price of. */
export function unpriced(model: string, scope: Scope): ConnectError {
  const message = `this ${scopeKind(scope)} has a budget of money, and "${model}" has no price: add one to llm_gateway.prices, or name another model`;
  return failedPrecondition(ErrorReason.MODEL_UNPRICED, message, { metadata: { model, scope: scopeKind(scope) } });
}

/** The process ends. */
export const ending = (): ConnectError => unavailable('llm-gateway', 'the gateway is shutting down: try again');
