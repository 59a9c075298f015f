import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type LLMLimit,
  LLMLimitSchema,
  type LLMLimitsConfig,
  LLMLimitsConfigSchema,
} from '#gen/ragmesh/config/v1/config_pb.ts';
import { type ChosenAdapter, chosenAdapter } from '#kit/host/config/settings.ts';
import type { Scope, ScopeLimits } from './limit-store.ts';

/** Who is limited, and for what. */
export interface Limited {
  tenant: string;
  /** Id of the key; empty: none. */
  key: string;
  user: string;
  /** The model or route that the request names. */
  model: string;
}

/** The configured limits. */
export interface Rules {
  store: ChosenAdapter;
  queueSize: number;
  queueWaitMs: number;
  /** Returns the scopes of a request at a time, of all layers that limit it: tenant, cost centres, key, user, model. */
  scopesOf(limited: Limited, nowMs: number): Scope[];
  /** Returns the cost centre that pays for the calls of a key or user; `undefined`: none. */
  costCentreOf(limited: Pick<Limited, 'key' | 'user'>): string | undefined;
  /** Returns the limits that the configuration names, and those of some keys and users, of all layers; at most {@link maxNamed}. */
  named(tenant: string, others: OtherNames, nowMs: number): NamedLimit[];
  /** Returns the longest completion of a request, in tokens: the lowest limit of all layers. */
  maxCompletionTokens(limited: Limited, nowMs: number): number;
}

/** Keys and users beside those that the configuration names. */
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
  /** End of a raise that applies, in milliseconds since 1970. */
  raisedUntilMs: number | undefined;
}

/** Most limits that are returned by name. */
export const maxNamed = 2000;

/** A layer of limits. */
export type Layer = 'tenant' | 'cost_centre' | 'key' | 'user' | 'model';

/** Returns the rules of the limits at `path` of the configuration. Without them nothing is limited. */
export function readRules(given: LLMLimitsConfig | undefined, path: string): Rules {
  const config = given ?? create(LLMLimitsConfigSchema);
  const raises = new Map(config.raises.map((raise) => [`${raise.scope}:${raise.name}`, raise]));
  const centres = centresByMember(config);
  const configured: Record<Layer, (name: string) => LLMLimit | undefined> = {
    tenant: (name) => named(config.tenants, name) ?? config.defaultTenant,
    cost_centre: (name) => named(config.costCentres, name)?.limit,
    key: (name) => named(config.keys, name) ?? config.defaultKey,
    user: (name) => named(config.users, name) ?? config.defaultUser,
    model: (name) => named(config.models, name),
  };
  const raiseOf = (layer: Layer, name: string, nowMs: number) => {
    const raise = raises.get(`${layer}:${name}`);
    return raise?.until !== undefined && timestampMs(raise.until) > nowMs ? raise : undefined;
  };
  const limitOf = (layer: Layer, name: string, nowMs: number): LLMLimit | undefined =>
    raiseOf(layer, name, nowMs)?.limit ?? configured[layer](name);
  /** Returns the cost centres of a key and a user, that which pays first. */
  const centresOf = ({ key, user }: Pick<Limited, 'key' | 'user'>) => [
    ...(centres.get(`key:${key}`) ?? []),
    ...(centres.get(`user:${user}`) ?? []),
  ];
  /** Returns the layers of a request with their names. */
  const layersOf = ({ tenant, key, user, model }: Limited): [Layer, string][] => {
    const layers: [Layer, string][] = [
      ['tenant', tenant],
      ...[...new Set(centresOf({ key, user }))].map((name): [Layer, string] => ['cost_centre', name]),
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
        const limit = limitOf(layer, name, nowMs);
        const limits = limit && toScopeLimits(limit);
        if (limits !== undefined) scopes.push({ name: scopeName(layer, name), limits });
      }
      return scopes;
    },
    costCentreOf: (limited) => centresOf(limited)[0],
    named(tenant, others, nowMs) {
      const raised = (layer: Layer) => config.raises.filter(({ scope }) => scope === layer).map(({ name }) => name);
      const names: Record<Layer, Iterable<string>> = {
        tenant: [tenant],
        cost_centre: Object.keys(config.costCentres),
        key: new Set([...Object.keys(config.keys), ...raised('key'), ...others.keys]),
        user: new Set([...Object.keys(config.users), ...raised('user'), ...others.users]),
        model: new Set([...Object.keys(config.models), ...raised('model')]),
      };
      return (Object.entries(names) as [Layer, Iterable<string>][])
        .flatMap(([layer, all]) =>
          [...all].flatMap((name) => {
            const limit = limitOf(layer, name, nowMs);
            const limits = limit && toScopeLimits(limit);
            const until = raiseOf(layer, name, nowMs)?.until;
            if (limits === undefined) return [];
            const scope = { name: scopeName(layer, name), limits };
            return [{ layer, name, scope, raisedUntilMs: until && timestampMs(until) }];
          }),
        )
        .slice(0, maxNamed);
    },
    maxCompletionTokens(limited, nowMs) {
      const limits = layersOf(limited).flatMap(([layer, name]) => limitOf(layer, name, nowMs) ?? []);
      const ofTenant = limitOf('tenant', limited.tenant, nowMs) ?? unlimited;
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
  const centres = new Map<string, string[]>();
  const add = (member: string, centre: string) => {
    const known = centres.get(member);
    if (known === undefined) centres.set(member, [centre]);
    else known.push(centre);
  };
  for (const [centre, { keys, users }] of Object.entries(costCentres)) {
    for (const key of keys) add(`key:${key}`, centre);
    for (const user of users) add(`user:${user}`, centre);
  }
  return centres;
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
