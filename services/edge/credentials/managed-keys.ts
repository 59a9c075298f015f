import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import type { Credential, CredentialService, SyncCredentialsResponse } from '#gen/ragmesh/accounts/v1/credential_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import { within } from '#kit/base/within.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import { actAs } from '#kit/rpc/context.ts';
import { apiKeyPrefix, principalOf, type TokenSigner } from '#kit/rpc/identity.ts';
import { type KeySource, type PreparedKey, prepareKey } from './api-keys.ts';

/** The keys and disabled tenants of the service `accounts`, as this edge knows them. */
export interface ManagedKeys extends KeySource {
  /**
   * Throws UNAVAILABLE if a credential looks like a managed key and the edge does not know the keys: it has not reached the service
   * yet, or not for {@link maxAgeMs}.
   */
  requireKnown(credential: string): void;
  isDisabled(tenant: string): boolean;
  /** Counts a use of a key, which the service learns within seconds. Ignores other keys. */
  noteUse(sha256: string, address: string): void;
  readonly readiness: ReadinessCheck;
  close(): Promise<void>;
}

/** What it needs. */
export interface ManagedKeysDeps {
  accounts: Pick<Client<typeof CredentialService>, 'syncCredentials' | 'reportKeyUses'>;
  signer: TokenSigner;
  clock: () => number;
  log: Logger;
  /** Time between two requests for changes, in milliseconds. @default 1000 */
  syncMs?: number;
  /** Time between two reports of uses, in milliseconds. @default 5000 */
  reportMs?: number;
}

/** Time without the service after which its keys are no longer admitted, in milliseconds: a revocation may have been missed. */
export const maxAgeMs = 600_000;
/** Longest time that the start waits for the keys, in milliseconds. */
const firstSyncMs = 2000;
const callMs = 4000;
/** Uses in one report. */
const maxUses = 1000;

interface Use {
  tenant: string;
  useCount: number;
  lastUsedAtMs: number;
  lastAddress: string;
}

/** Reads the keys, and follows their changes until `close`. Resolves when they are known, or after two seconds. */
export async function openManagedKeys(deps: ManagedKeysDeps): Promise<ManagedKeys> {
  const { accounts, signer, clock, log, syncMs = 1000, reportMs = 5000 } = deps;
  const bySha = new Map<string, PreparedKey>();
  const shasOfKey = new Map<string, string[]>();
  const disabled = new Set<string>();
  // Holds only known keys, so these bound it.
  const uses = new Map<string, Use>();
  let revision = 0n;
  let syncedAtMs: number | undefined;
  let failure: unknown;
  const closing = new AbortController();
  const actFor = async (tenant: string, signal: AbortSignal | undefined = closing.signal) => {
    const token = await signer.sign(principalOf({ tenant, user: 'edge', roles: [Role.SERVICE] }));
    return actAs(token, { timeoutMs: callMs, ...(signal && { signal }) });
  };
  const forget = (keyId: string) => {
    for (const sha256 of shasOfKey.get(keyId) ?? []) bySha.delete(sha256);
    shasOfKey.delete(keyId);
  };
  const apply = ({ isReset, credentials, tenants }: SyncCredentialsResponse) => {
    if (isReset) for (const known of [bySha, shasOfKey, disabled]) known.clear();
    for (const credential of credentials) {
      const { id = '' } = credential.key ?? {};
      forget(id);
      const prepared = prepareCredential(credential);
      for (const key of prepared) bySha.set(key.entry.sha256, key);
      if (prepared.length > 0)
        shasOfKey.set(
          id,
          prepared.map(({ entry }) => entry.sha256),
        );
    }
    for (const { tenant, isDisabled } of tenants) {
      if (isDisabled) disabled.add(tenant);
      else disabled.delete(tenant);
    }
  };
  const sync = async () => {
    for (let hasMore = true; hasMore; ) {
      const changes = await accounts.syncCredentials({ afterRevision: revision }, await actFor(meshTenant));
      apply(changes);
      ({ revision, hasMore } = changes);
    }
    if (failure !== undefined) log.info({ event: 'managed_keys_synced' }, 'managed keys follow again');
    failure = undefined;
    syncedAtMs = clock();
  };
  const syncOrNote = () =>
    sync().catch((error: unknown) => {
      if (closing.signal.aborted) return;
      if (failure === undefined) log.warn({ event: 'managed_keys_not_synced', err: error }, 'managed keys not synced');
      failure = error;
    });
  const report = async (signal?: AbortSignal) => {
    const byTenant = Map.groupBy(uses, ([, { tenant }]) => tenant);
    uses.clear();
    for (const [tenant, used] of byTenant) {
      for (let start = 0; start < used.length; start += maxUses) {
        const part = used.slice(start, start + maxUses);
        const messages = part.map(([sha256, { useCount, lastUsedAtMs, lastAddress }]) => ({
          ...{ sha256, useCount: BigInt(useCount), lastUsedAt: timestampFromMs(lastUsedAtMs), lastAddress },
        }));
        await accounts.reportKeyUses({ uses: messages }, await actFor(tenant, signal)).catch(() => {
          for (const [sha256, use] of part) addUse(uses, sha256, use);
        });
      }
    }
  };
  const repeat = async (work: () => Promise<unknown>, everyMs: number) => {
    while (!closing.signal.aborted) {
      await pause(everyMs, closing.signal);
      if (!closing.signal.aborted) await work();
    }
  };
  const first = syncOrNote();
  await within(() => first, { timeoutMs: firstSyncMs }).catch(() => {});
  const loops = [first.then(() => repeat(syncOrNote, syncMs)), repeat(() => report(), reportMs)];
  const isStale = () => syncedAtMs === undefined || clock() - syncedAtMs > maxAgeMs;
  return {
    find: (sha256) => (isStale() ? undefined : bySha.get(sha256)),
    requireKnown(credential) {
      if (!credential.startsWith(apiKeyPrefix) || !isStale()) return;
      throw unavailable('accounts', 'the edge does not know the API keys at the moment: try again', failure);
    },
    isDisabled: (tenant) => disabled.has(tenant),
    noteUse(sha256, lastAddress) {
      const tenant = bySha.get(sha256)?.entry.principal.tenant;
      if (tenant === undefined) return;
      addUse(uses, sha256, { tenant, useCount: 1, lastUsedAtMs: clock(), lastAddress });
    },
    readiness: {
      name: 'accounts',
      isOptional: true,
      async check() {
        if (failure !== undefined) throw failure;
      },
    },
    async close() {
      closing.abort();
      await Promise.all(loops);
      await within((signal) => report(signal), { timeoutMs: 1000 }).catch(() => {});
    },
  };
}

/** The edge's own calls are of no tenant of the installation. */
const meshTenant = 'ragmesh';

function addUse(uses: Map<string, Use>, sha256: string, use: Use): void {
  const known = uses.get(sha256);
  if (known === undefined) {
    uses.set(sha256, { ...use });
    return;
  }
  known.useCount += use.useCount;
  if (use.lastUsedAtMs < known.lastUsedAtMs) return;
  known.lastUsedAtMs = use.lastUsedAtMs;
  known.lastAddress = use.lastAddress;
}

/** Returns the secrets of a key as the authenticator takes those of the configuration. */
function prepareCredential({ key, secrets }: Credential): PreparedKey[] {
  if (key === undefined) return [];
  const { id, tenant, user, groups, roles, models, corpora, addresses, expiresAt } = key;
  return secrets.map((secret) => {
    const ends = [expiresAt, secret.expiresAt].flatMap((end) => (end === undefined ? [] : [timestampMs(end)]));
    return prepareKey({
      ...{ id, sha256: secret.sha256, principal: { tenant, user, groups, roles, corpora } },
      ...(models.length > 0 && { models }),
      ...(addresses.length > 0 && { addresses }),
      ...(ends.length > 0 && { expiresAtMs: Math.min(...ends) }),
    });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    signal.addEventListener('abort', end, { once: true });
  });
}
