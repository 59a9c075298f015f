import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type LLMLimit,
  LLMLimitSchema,
  type LLMLimitsConfig,
  LLMLimitsConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { LimitSource } from '#gen/ragmesh/llm_gateway/v1/gateway_operations_pb.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import type { Scope, ScopeLimits } from '../limit-store.ts';
import type { StoredLimits, TenantRules } from './stored-limits.ts';

/** Who is limited, and for what. */
export interface Limited {
  tenant: string;
  /** Id of the key; empty: none. */
  key: string;
  user: string;
  /** The model or route that the request names. */
  model: string;
}

/** The limits that apply: those of the configuration, and in their place those that administrators have stored. */
export interface Rules {
  store: ChosenAdapter;
  queueSize: number;
  queueWaitMs: number;
  /** Returns the scopes of a request at a time, of all layers that limit it: tenant, cost centres, key, user, model. */
  scopesOf(limited: Limited, nowMs: number): Scope[];
  /** Returns the cost centre that pays for the calls of a key or user; `undefined`: none. */
  costCentreOf(limited: Pick<Limited, 'tenant' | 'key' | 'user'>): string | undefined;
  /** Returns the limits that are named, and those of some keys and users, of all layers; at most {@link maxNamed}. */
  named(tenant: string, others: OtherNames, nowMs: number): NamedLimit[];
  /** Returns the longest completion of a request, in tokens: the lowest limit of all layers. */
  maxCompletionTokens(limited: Limited, nowMs: number): number;
}

/** Keys and users beside those that are named. */
export interface OtherNames {
  keys: readonly string[];
  users: readonly string[];
}

/** A limit of a layer. */
export interface NamedLimit {
  layer: Layer;
  /** Name in the layer. */
  name: string;
  scope: Scope;
  source: LimitSource;
  /** End of a raise that applies, in milliseconds since 1970. */
  raisedUntilMs: number | undefined;
}

/** Most limits that are returned by name. */
export const maxNamed = 2000;

/** A layer of limits. */
export type Layer = 'tenant' | 'cost_centre' | 'key' | 'user' | 'model';

/** A limit that applies. */
interface Applied {
  limit: LLMLimit;
  source: LimitSource;
  raisedUntilMs: number | undefined;
}

/**
 * Returns the rules of the limits at `path` of the configuration, and of the stored ones. Without them nothing is limited. A raise comes before a
 * limit, what is stored before what is configured, and a name before a default.
 */
export function readRules(
  given: LLMLimitsConfig | undefined,
  path: string,
  stored: Pick<StoredLimits, 'of'> = { of: () => undefined },
): Rules {
  const config = given ?? create(LLMLimitsConfigSchema);
  const raises = new Map(config.raises.map((raise) => [`${raise.scope}:${raise.name}`, raise]));
  const centres = centresByMember(config);
  const configured: Record<Layer, (name: string) => [named: LLMLimit | undefined, otherwise?: LLMLimit | undefined]> = {
    tenant: (name) => [named(config.tenants, name), config.defaultTenant],
    cost_centre: (name) => [named(config.costCentres, name)?.limit],
    key: (name) => [named(config.keys, name), config.defaultKey],
    user: (name) => [named(config.users, name), config.defaultUser],
    model: (name) => [named(config.models, name)],
  };
  const limitOf = (tenant: string, layer: Layer, name: string, nowMs: number): Applied | undefined => {
    const scope = `${layer}:${name}`;
    const rule = stored.of(tenant)?.get(scope);
    if (rule?.raise !== undefined && rule.raise.untilMs > nowMs) {
      const { limit, untilMs } = rule.raise;
      return { limit, source: LimitSource.STORED_RAISE, raisedUntilMs: untilMs };
    }
    const raise = raises.get(scope);
    const raisedUntilMs = raise?.until && timestampMs(raise.until);
    if (raise?.limit !== undefined && raisedUntilMs !== undefined && raisedUntilMs > nowMs) {
      return { limit: raise.limit, source: LimitSource.CONFIGURED_RAISE, raisedUntilMs };
    }
    const of = (limit: LLMLimit | undefined, source: LimitSource) =>
      limit && { limit, source, raisedUntilMs: undefined };
    const [own, otherwise] = configured[layer](name);
    return of(rule?.limit, LimitSource.STORED) ?? of(own, LimitSource.CONFIGURED) ?? of(otherwise, LimitSource.DEFAULT);
  };
  /** Returns the cost centres of a key and a user, that which pays first. */
  const centresOf = ({ tenant, key, user }: Pick<Limited, 'tenant' | 'key' | 'user'>) => {
    const own = stored.of(tenant);
    const ofMember = (member: string) => [...(centres.get(member) ?? []), ...(storedCentres(own).get(member) ?? [])];
    const all = [...ofMember(`key:${key}`), ...ofMember(`user:${user}`)];
    if (own === undefined) return all;
    // Stored members take the place of those of the configuration.
    return all.filter((centre) => {
      const members = own.get(`cost_centre:${centre}`)?.members;
      return members === undefined || members.keys.includes(key) || members.users.includes(user);
    });
  };
  /** Returns the layers of a request with their names. */
  const layersOf = ({ tenant, key, user, model }: Limited): [Layer, string][] => {
    const layers: [Layer, string][] = [
      ['tenant', tenant],
      ...[...new Set(centresOf({ tenant, key, user }))].map((name): [Layer, string] => ['cost_centre', name]),
      ['key', key],
      ['user', user],
      ['model', model],
    ];
    return layers.filter(([, name]) => name !== '');
  };
  return {
    store: chosenAdapter(LLMLimitsConfigSchema.field.store, config.store, `${path}.store`),
    queueSize: config.queueSize,
    queueWaitMs: config.queueWaitMs,
    scopesOf(limited, nowMs) {
      const scopes: Scope[] = [];
      for (const [layer, name] of layersOf(limited)) {
        const applied = limitOf(limited.tenant, layer, name, nowMs);
        const limits = applied && toScopeLimits(applied.limit);
        if (limits !== undefined) scopes.push({ name: scopeName(layer, name), limits });
      }
      return scopes;
    },
    costCentreOf: (limited) => centresOf(limited)[0],
    named(tenant, asked, nowMs) {
      const own = [...(stored.of(tenant)?.keys() ?? [])];
      const others = (layer: Layer) => [
        ...config.raises.filter(({ scope }) => scope === layer).map(({ name }) => name),
        ...own.filter((scope) => scope.startsWith(`${layer}:`)).map((scope) => scope.slice(layer.length + 1)),
      ];
      const names: Record<Layer, Iterable<string>> = {
        tenant: [tenant],
        cost_centre: new Set([...Object.keys(config.costCentres), ...others('cost_centre')]),
        key: new Set([...Object.keys(config.keys), ...others('key'), ...asked.keys]),
        user: new Set([...Object.keys(config.users), ...others('user'), ...asked.users]),
        model: new Set([...Object.keys(config.models), ...others('model')]),
      };
      return (Object.entries(names) as [Layer, Iterable<string>][])
        .flatMap(([layer, all]) =>
          [...all].flatMap((name) => {
            const applied = limitOf(tenant, layer, name, nowMs);
            const limits = applied && toScopeLimits(applied.limit);
            if (applied === undefined || limits === undefined) return [];
            const { source, raisedUntilMs } = applied;
            return [{ layer, name, scope: { name: scopeName(layer, name), limits }, source, raisedUntilMs }];
          }),
        )
        .slice(0, maxNamed);
    },
    maxCompletionTokens(limited, nowMs) {
      const { tenant } = limited;
      const limits = layersOf(limited).flatMap(([layer, name]) => limitOf(tenant, layer, name, nowMs)?.limit ?? []);
      const ofTenant = limitOf(tenant, 'tenant', tenant, nowMs)?.limit ?? unlimited;
      return Math.min(...[ofTenant, ...limits].map(({ maxCompletionTokens }) => maxCompletionTokens));
    },
  };
}

/** Returns the name of a scope. All count within the tenant: a tenant that sends the key of another one uses only its own limits. */
function scopeName(layer: Layer, name: string): string {
  return layer === 'tenant' ? 'tenant' : `${layer}:${name}`;
}

/** Returns the cost centres of each key and user. */
function centresByMember({ costCentres }: LLMLimitsConfig): Map<string, string[]> {
  return byMember(Object.entries(costCentres).map(([centre, { keys, users }]) => ({ centre, keys, users })));
}

function byMember(centres: readonly { centre: string; keys: readonly string[]; users: readonly string[] }[]) {
  const found = new Map<string, string[]>();
  const add = (member: string, centre: string) => {
    const known = found.get(member);
    if (known === undefined) found.set(member, [centre]);
    else known.push(centre);
  };
  for (const { centre, keys, users } of centres) {
    for (const key of keys) add(`key:${key}`, centre);
    for (const user of users) add(`user:${user}`, centre);
  }
  return found;
}

// The stored cost centres of a member are found for each request, and change seldom.
const storedMembers = new WeakMap<TenantRules, Map<string, string[]>>();

/** Returns the stored cost centres of each key and user of a tenant. */
function storedCentres(rules: TenantRules | undefined): Map<string, string[]> {
  if (rules === undefined) return new Map();
  let known = storedMembers.get(rules);
  if (known === undefined) {
    const centres = [...rules].flatMap(([scope, { members }]) =>
      scope.startsWith('cost_centre:') && members !== undefined
        ? [{ centre: scope.slice('cost_centre:'.length), ...members }]
        : [],
    );
    known = byMember(centres);
    storedMembers.set(rules, known);
  }
  return known;
}

// The limits of a tenant without configuration: the defaults.
const unlimited = create(LLMLimitSchema);

// A tenant can have any name, also "constructor".
function named<T>(limits: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(limits, name) ? limits[name] : undefined;
}

// A limit is the same object in each request, until the configuration changes.
const made = new WeakMap<LLMLimit, { limits: ScopeLimits | undefined }>();

/** Returns the limits that a store counts; `undefined`: no limit of any kind. */
function toScopeLimits(limit: LLMLimit): ScopeLimits | undefined {
  let known = made.get(limit);
  if (known === undefined) {
    known = { limits: makeScopeLimits(limit) };
    made.set(limit, known);
  }
  return known.limits;
}

function makeScopeLimits(limit: LLMLimit): ScopeLimits | undefined {
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
