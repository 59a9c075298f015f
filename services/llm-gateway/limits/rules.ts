import { create } from '@bufbuild/protobuf';
import {
  type LLMLimit,
  LLMLimitSchema,
  type LLMLimitsConfig,
  LLMLimitsConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import type { Scope, ScopeLimits } from './limit-store.ts';

/** The configured limits. */
export interface Rules {
  store: ChosenAdapter;
  queueSize: number;
  queueWaitMs: number;
  /** Returns the scopes of a request: of the tenant, of the key, both or none. */
  scopesOf(tenant: string, key: string): Scope[];
  /** Returns the longest completion of a request, in tokens: the lower one of the tenant's and the key's limit. */
  maxCompletionTokens(tenant: string, key: string): number;
}

/** Returns the rules of the limits at `path` of the configuration. Without them nothing is limited. */
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
      // A key counts within its tenant: a tenant that sends the key of another one uses only its own limits.
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

// The limits of a tenant without configuration: the defaults.
const unlimited = create(LLMLimitSchema);

// A tenant can have any name, also "constructor".
function named(limits: Record<string, LLMLimit>, name: string): LLMLimit | undefined {
  return Object.hasOwn(limits, name) ? limits[name] : undefined;
}

/** Returns a lookup of limits by name; `undefined`: no limit of any kind. */
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

/** Returns a whole number with exact sums: 0 to 2^53 - 1. Fractions are rounded up, and a value that is not a number is 0. */
export function toAmount(value: number | bigint): number {
  const amount = Math.ceil(Number(value));
  return amount > 0 ? Math.min(amount, Number.MAX_SAFE_INTEGER) : 0;
}
