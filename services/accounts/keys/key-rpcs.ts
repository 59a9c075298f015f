import { create, toJson } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import {
  type ApiKey,
  ApiKeyKind,
  ApiKeySchema,
  type ApiKeyService,
  type CreateApiKeyRequest,
} from '#gen/ragmesh/accounts/v1/api_key_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition, notFound, rpcError } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { roleName } from '#kit/rpc/policy.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AccountsSettings } from '../config.ts';
import { type Change, type Changes, recordOrLog } from '../records/changes.ts';
import { fromPageToken, toPageToken } from '../records/page-token.ts';
import type { AccountsSchema, KeyRow } from '../records/schema.ts';
import { type Changing, change, maxSecrets, secretsOf, toApiKey, toKeyBytes } from '../records/store.ts';
import { checkGrant, serviceUserPrefix, tenantOf } from './rights.ts';
import { newKeyId, newSecret } from './secret.ts';

/** What the rpcs need. */
export interface KeyDeps {
  db: Database<AccountsSchema>;
  config: AccountsSettings;
  changes: Changes;
  clock: () => number;
  log: Logger;
}

const defaultPageSize = 50;

/** Returns the rpcs for administrators of keys. A change is in the audit before it is made, except a revocation. */
export function createKeyRpcs({ db, config, changes, clock, log }: KeyDeps): ServiceHandlers<typeof ApiKeyService> {
  return {
    async createApiKey(request, context) {
      const { principal } = context;
      const nowMs = clock();
      checkGrant(principal, request, nowMs, config.breakGlassMs);
      const key = newKey(principal, request, nowMs);
      const { secret, sha256 } = newSecret();
      const isBreakGlass = key.breakGlassReason !== '';
      await change(db, async (transaction, revision) => {
        await requireRoom(transaction, key.tenant, nowMs, config.maxKeysPerTenant);
        await transaction
          .insertInto('api_key')
          .values(toRow(key, nowMs, revision))
          .execute();
        await insertSecret(transaction, key.id, sha256, nowMs);
        const action = isBreakGlass ? ChangeAction.BREAK_GLASS_OPENED : ChangeAction.API_KEY_CREATED;
        await changes.record(changeOf(action, key, request.reason), context);
      });
      if (isBreakGlass) {
        const { id, tenant, createdBy } = key;
        log.warn({ event: 'break_glass_opened', key_id: id, tenant, createdBy }, 'break-glass access opened');
      }
      return { key: await readKey(db, key.tenant, key.id), secret };
    },

    async listApiKeys({ tenant: requested, pageSize, pageToken }, { principal }) {
      const tenant = tenantOf(principal, requested);
      const limit = pageSize || defaultPageSize;
      const [createdAt, id] = fromPageToken(pageToken, 2);
      let query = db.selectFrom('api_key').selectAll().where('tenant', '=', tenant);
      if (createdAt !== undefined && id !== undefined) {
        query = query.where((eb) =>
          eb.or([
            eb('created_at', '<', Number(createdAt)),
            eb.and([eb('created_at', '=', Number(createdAt)), eb('id', '<', id)]),
          ]),
        );
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      const page = rows.slice(0, limit);
      const secrets = await secretsOf(
        db,
        page.map((row) => row.id),
      );
      const last = page.at(-1);
      return {
        keys: page.map((row) => toApiKey(row, secrets.get(row.id) ?? [])),
        nextPageToken: rows.length > limit && last ? toPageToken([String(last.created_at), last.id]) : '',
      };
    },

    async rotateApiKey({ id, overlapSeconds, tenant: requested }, context) {
      const { principal } = context;
      const tenant = tenantOf(principal, requested);
      const nowMs = clock();
      const { secret, sha256 } = newSecret();
      await change(db, async (transaction, revision) => {
        const row = await requireKey(transaction, tenant, id);
        const key = toApiKey(row, []);
        requireRights(principal, key);
        requireAlive(row, nowMs);
        const endsAt = nowMs + overlapSeconds * 1000;
        await transaction
          .updateTable('api_key_secret')
          .set({ expires_at: endsAt })
          .where('key_id', '=', id)
          .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', endsAt)]))
          .execute();
        await dropOldSecrets(transaction, id, nowMs);
        await insertSecret(transaction, id, sha256, nowMs);
        await transaction.updateTable('api_key').set({ revision }).where('id', '=', id).execute();
        await changes.record(changeOf(ChangeAction.API_KEY_ROTATED, key), context);
      });
      return { key: await readKey(db, tenant, id), secret };
    },

    async revokeApiKey({ id, tenant: requested }, context) {
      const tenant = tenantOf(context.principal, requested);
      const revoked = await change(db, async (transaction, revision) => {
        const row = await requireKey(transaction, tenant, id);
        if (row.revoked_at !== null) return false;
        await transaction.updateTable('api_key').set({ revoked_at: clock(), revision }).where('id', '=', id).execute();
        return true;
      });
      const key = await readKey(db, tenant, id);
      // A leaked key must end even while the audit is away.
      if (revoked) await recordOrLog(changes, changeOf(ChangeAction.API_KEY_REVOKED, key), context, log);
      return { key };
    },
  };
}

function newKey(creator: Principal, request: CreateApiKeyRequest, nowMs: number): ApiKey {
  const tenant = tenantOf(creator, request.tenant);
  const { kind, name, groups, roles, models, corpora, addresses, expiresAt, reason } = request;
  return create(ApiKeySchema, {
    ...{ id: newKeyId(), tenant, kind, name, groups, roles, models, corpora, addresses },
    user: kind === ApiKeyKind.SERVICE_ACCOUNT ? `${serviceUserPrefix}${name}` : request.user,
    ...(expiresAt && { expiresAt }),
    createdAt: timestampFromMs(nowMs),
    createdBy: `${creator.tenant}/${creator.user}`,
    breakGlassReason: reason,
  });
}

function toRow(key: ApiKey, nowMs: number, revision: number): KeyRow {
  const { id, tenant, expiresAt } = key;
  const expiresAtMs = expiresAt === undefined ? null : timestampMs(expiresAt);
  return {
    id,
    tenant,
    message: toKeyBytes(key),
    created_at: nowMs,
    expires_at: expiresAtMs,
    revoked_at: null,
    revision,
  };
}

async function insertSecret(transaction: Changing, keyId: string, sha256: string, nowMs: number): Promise<void> {
  const unused = { expires_at: null, last_used_at: null, last_address: '', use_count: 0 };
  await transaction
    .insertInto('api_key_secret')
    .values({ sha256, key_id: keyId, created_at: nowMs, ...unused })
    .execute();
}

/** Removes secrets that have ended, beyond the latest ones. Throws if there would still be too many. */
async function dropOldSecrets(transaction: Changing, keyId: string, nowMs: number): Promise<void> {
  const secrets = (await secretsOf(transaction, [keyId])).get(keyId) ?? [];
  const surplus = secrets.slice(maxSecrets - 1);
  const ended = surplus.filter(({ expires_at }) => expires_at !== null && Number(expires_at) <= nowMs);
  if (ended.length < surplus.length) {
    const message = `the key has ${secrets.length} valid secrets: rotate it without an overlap, or wait until one ends`;
    throw failedPrecondition(ErrorReason.LIMIT_REACHED, message);
  }
  if (ended.length === 0) return;
  const gone = ended.map(({ sha256 }) => sha256);
  await transaction.deleteFrom('api_key_secret').where('sha256', 'in', gone).execute();
}

async function requireKey(db: Database<AccountsSchema>, tenant: string, id: string): Promise<KeyRow> {
  const row = await db
    .selectFrom('api_key')
    .selectAll()
    .where('id', '=', id)
    .where('tenant', '=', tenant)
    .executeTakeFirst();
  if (row === undefined) throw notFound('API key', id);
  return row;
}

async function readKey(db: Database<AccountsSchema>, tenant: string, id: string): Promise<ApiKey> {
  const row = await requireKey(db, tenant, id);
  return toApiKey(row, (await secretsOf(db, [id])).get(id) ?? []);
}

/** Throws if the caller may not hold the secret of the key: it would get rights that it lacks. */
function requireRights(caller: Principal, key: ApiKey): void {
  const isOwn = key.tenant === caller.tenant;
  if (!isOwn && key.breakGlassReason === '') {
    const message = `only a key that was made by break-glass access can be rotated from another tenant`;
    throw rpcError(Code.PermissionDenied, ErrorReason.TENANT_MISMATCH, message);
  }
  const right =
    key.roles.filter((role) => !caller.roles.includes(role)).map(roleName)[0] ??
    (isOwn && key.breakGlassReason === '' ? key.groups.find((group) => !caller.groups.includes(group)) : undefined) ??
    (isOwn && key.breakGlassReason !== '' ? 'break-glass access' : undefined);
  if (right === undefined) return;
  const message = `the secret of a key must not reach a caller who lacks its rights: "${right}"`;
  throw rpcError(Code.PermissionDenied, ErrorReason.GRANT_EXCEEDED, message, { metadata: { right } });
}

function requireAlive({ revoked_at, expires_at }: KeyRow, nowMs: number): void {
  const state = revoked_at !== null ? 'revoked' : expires_at !== null && Number(expires_at) <= nowMs ? 'expired' : '';
  if (state === '') return;
  throw failedPrecondition(ErrorReason.KEY_ENDED, `the key is ${state}: make a new one`, { metadata: { state } });
}

async function requireRoom(transaction: Changing, tenant: string, nowMs: number, maxKeys: number): Promise<void> {
  const { count } = await transaction
    .selectFrom('api_key')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('tenant', '=', tenant)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
    .executeTakeFirstOrThrow();
  if (Number(count) < maxKeys) return;
  const message = `the tenant has ${maxKeys} keys, and no more are allowed: revoke those that are not used`;
  throw failedPrecondition(ErrorReason.LIMIT_REACHED, message, { metadata: { limit: String(maxKeys) } });
}

/** Returns the change of a key for the audit. */
export function changeOf(action: ChangeAction, key: ApiKey, reason = ''): Change {
  // The entry names who made the change by a key that an erasure can destroy; the detail stays, so it says nothing of a person.
  const personal = key.kind === ApiKeyKind.SERVICE_ACCOUNT ? {} : { user: '', name: '', addresses: [] };
  const detailJson = JSON.stringify(toJson(ApiKeySchema, { ...key, ...personal, createdBy: '', secrets: [] }));
  return { action, tenant: key.tenant, resource: key.id, reason, detailJson };
}
