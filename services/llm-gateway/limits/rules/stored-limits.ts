import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import type { SpendLimit, StoredLimit } from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import type { LimitSyncService, SyncLimitsResponse } from '#gen/ragmesh/accounts/v1/limit_sync_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { type LLMLimit, LLMLimitSchema } from '#gen/ragmesh/config/v1/config_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import { actAs } from '#kit/rpc/context.ts';
import { principalOf, type TokenSigner } from '#kit/rpc/identity.ts';

/** A limit that an administrator has stored, or a raise, or both. */
export interface StoredRule {
  limit: LLMLimit | undefined;
  raise: { limit: LLMLimit; untilMs: number } | undefined;
  /** Members of a cost centre; `undefined`: those of the configuration. */
  members: { keys: readonly string[]; users: readonly string[] } | undefined;
}

/** The stored rules of a tenant, by layer and name: "user:ann". */
export type TenantRules = ReadonlyMap<string, StoredRule>;

/** The stored limits of all tenants, as this process knows them. */
export interface StoredLimits {
  /** Returns the rules of a tenant; `undefined`: it has none. */
  of(tenant: string): TenantRules | undefined;
  /** Calls a listener after each change. */
  onChange(listener: () => void): void;
  readonly readiness: ReadinessCheck;
  close(): Promise<void>;
}

/** What they depend on. */
export interface StoredLimitsDeps {
  accounts: Pick<Client<typeof LimitSyncService>, 'syncLimits'>;
  signer: TokenSigner;
  log: Logger;
  /** Time between two requests for changes, in milliseconds. @default 1000 */
  syncMs?: number;
}

/** Longest time that the start waits for the limits, and longest time of a call, in milliseconds. */
const firstSyncMs = 2000;
const callMs = 4000;
/** The gateway's own calls are of no tenant of the installation. */
const meshTenant = 'ragmesh';

/**
 * Reads the limits that the service `accounts` stores, and follows their changes until `close`. Resolves when they are known, or after two
 * seconds. While the service is away, the limits that are known continue to apply.
 */
export async function openStoredLimits(deps: StoredLimitsDeps): Promise<StoredLimits> {
  const { accounts, signer, log, syncMs = 1000 } = deps;
  const byTenant = new Map<string, TenantRules>();
  const listeners: (() => void)[] = [];
  const closing = new AbortController();
  const { signal } = closing;
  let revision = 0n;
  let failure: unknown;
  const apply = ({ isReset, tenants }: SyncLimitsResponse) => {
    if (isReset) byTenant.clear();
    for (const { tenant, limits } of tenants) {
      if (limits.length === 0) byTenant.delete(tenant);
      else byTenant.set(tenant, new Map(limits.map((stored) => toRule(tenant, stored))));
    }
    if (isReset || tenants.length > 0) for (const listener of listeners) listener();
  };
  const sync = async () => {
    for (let hasMore = true; hasMore; ) {
      const token = await signer.sign(principalOf({ tenant: meshTenant, user: 'llm-gateway', roles: [Role.SERVICE] }));
      const options = actAs(token, { timeoutMs: callMs, signal });
      const changes = await accounts.syncLimits({ afterRevision: revision }, options);
      apply(changes);
      ({ revision, hasMore } = changes);
    }
    if (failure !== undefined) log.info({ event: 'stored_limits_synced' }, 'stored limits follow again');
    failure = undefined;
  };
  const syncOrNote = () =>
    sync().catch((error: unknown) => {
      if (signal.aborted) return;
      if (failure === undefined)
        log.warn({ event: 'stored_limits_not_synced', err: error }, 'stored limits not synced');
      failure = error;
    });
  const follow = async () => {
    await syncOrNote();
    while (!signal.aborted) {
      await sleep(syncMs, signal).catch(() => {});
      if (!signal.aborted) await syncOrNote();
    }
  };
  const first = syncOrNote();
  await within(() => first, { timeoutMs: firstSyncMs }).catch(() => {});
  const following = first.then(follow);
  return {
    of: (tenant) => byTenant.get(tenant),
    onChange: (listener) => void listeners.push(listener),
    readiness: {
      name: 'accounts',
      isOptional: true,
      async check() {
        if (failure !== undefined) throw failure;
      },
    },
    async close() {
      closing.abort();
      await following;
    },
  };
}

function toRule(tenant: string, { target, limit, raise, keys, users }: StoredLimit): [string, StoredRule] {
  const { layer = '', name = '' } = target ?? {};
  const raised = raise?.limit && raise.until && { limit: toLimit(raise.limit), untilMs: timestampMs(raise.until) };
  const rule = {
    limit: limit && toLimit(limit),
    raise: raised,
    members: keys.length + users.length > 0 ? { keys, users } : undefined,
  };
  return [`${layer}:${name || tenant}`, rule];
}

/** Returns a limit as the configuration has it: what is not set has its default. */
function toLimit({ $typeName: _, $unknown: __, ...amounts }: SpendLimit): LLMLimit {
  return create(LLMLimitSchema, amounts);
}
