import { create } from '@bufbuild/protobuf';
import {
  type LLMLimit,
  LLMLimitSchema,
  type LLMLimitsConfig,
  LLMLimitsConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import type { Scope, ScopeLimits } from './limit-store.ts';

/** The configured limits, as they are asked for. */
export interface Rules {
  store: ChosenAdapter;
  queueSize: number;
  queueWaitMs: number;
  /** Whose limits a request falls under: the tenant's, the key's, both or none. */
  scopesOf(tenant: string, key: string): Scope[];
  /** Longest completion that a request may ask for, in tokens: the lower one of the tenant's and the key's limit. */
  maxCompletionTokens(tenant: string, key: string): number;
}

/** Returns the rules of the limits at `path` of the configuration; without them nothing is limited. */
export function readRules(given: LLMLimitsConfig | undefined, path: string): Rules {
  const config = given ?? create(LLMLimitsConfigSchema);
  const forTenant = tableOf(config.tenants, config.defaultTenant);
  const forKey = tableOf(config.keys, config.defaultKey);
  return {
    store: chosenAdapter(LLMLimitsConfigSchema.field.store, config.store, `${path}.store`),
    queueSize: config.queueSize,
    queueWaitMs: config.queueWaitMs,
    scopesOf(tenant, key) {
      const scopes: Scope[] = [];
      const tenantLimits = forTenant(tenant);
      if (tenantLimits !== undefined) scopes.push({ name: 'tenant', limits: tenantLimits });
      // A key counts within its tenant: whoever sends another's key spends only its own.
      const keyLimits = key === '' ? undefined : forKey(key);
      if (keyLimits !== undefined) scopes.push({ name: `key:${key}`, limits: keyLimits });
      return scopes;
    },
    maxCompletionTokens(tenant, key) {
      const ofTenant = named(config.tenants, tenant) ?? config.defaultTenant ?? unlimited;
      const ofKey = key === '' ? undefined : (named(config.keys, key) ?? config.defaultKey);
      return Math.min(ofTenant.maxCompletionTokens, ofKey?.maxCompletionTokens ?? Number.POSITIVE_INFINITY);
    },
  };
}

// What is in force for a tenant without limits: the defaults.
const unlimited = create(LLMLimitSchema);

// A tenant can have any name, "constructor" as well.
function named(limits: Record<string, LLMLimit>, name: string): LLMLimit | undefined {
  return Object.hasOwn(limits, name) ? limits[name] : undefined;
}

/** Limits by name; `undefined` where there is none of any kind. */
function tableOf(byName: Record<string, LLMLimit>, otherwise: LLMLimit | undefined) {
  const limits = new Map(Object.entries(byName).map(([name, limit]) => [name, toScopeLimits(limit)]));
  const fallback = otherwise && toScopeLimits(otherwise);
  return (name: string): ScopeLimits | undefined => (limits.has(name) ? limits.get(name) : fallback);
}

function toScopeLimits(limit: LLMLimit): ScopeLimits | undefined {
  const limits = {
    requestsPerMinute: toAmount(limit.requestsPerMinute),
    tokensPerMinute: toAmount(limit.tokensPerMinute),
    costMicrosPerDay: toAmount(limit.costMicrosPerDay),
    costMicrosPerMonth: toAmount(limit.costMicrosPerMonth),
    maxConcurrent: limit.maxConcurrent,
  };
  return Object.values(limits).some((value) => value > 0) ? Object.freeze(limits) : undefined;
}

/** A whole number that sums stay exact with: 0 to 2^53 - 1, fractions rounded up, what is no number 0. */
export function toAmount(value: number | bigint): number {
  const amount = Math.ceil(Number(value));
  return amount > 0 ? Math.min(amount, Number.MAX_SAFE_INTEGER) : 0;
}
