import { toJson } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import {
  LimitRaiseSchema,
  type LimitService,
  type LimitTarget,
  type SpendLimit,
  SpendLimitSchema,
} from '#gen/ragmesh/accounts/v1/limit_pb.ts';
import { ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { invalidArgument, notFound, rpcError } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { KeyDeps } from '../keys/key-rpcs.ts';
import { tenantOf } from '../keys/rights.ts';
import { fromPageToken, toPageToken } from '../records/page-token.ts';
import { changeLimit, type LimitKey, type LimitState, toStoredLimit } from './limit-store.ts';

/** What the rpcs need. */
export type LimitDeps = Omit<KeyDeps, 'log'>;

const defaultPageSize = 200;

/** Returns the rpcs for administrators of limits. A change is in the audit before it is made. */
export function createLimitRpcs({ db, config, changes, clock }: LimitDeps): ServiceHandlers<typeof LimitService> {
  const make = (
    action: ChangeAction,
    { target, expectedEtag }: { target?: LimitTarget; expectedEtag: string },
    context: CallContext,
    next: (state: LimitState, key: LimitKey) => LimitState,
    reason = '',
  ) => {
    const key = limitKeyOf(context.principal, target);
    const { tenant, layer, name } = key;
    return changeLimit(db, key, {
      ...{ expectedEtag, maxLimits: config.maxLimitsPerTenant, nowMs: clock() },
      next: (state) => next(state, key),
      record: (state) =>
        changes.record(
          { action, tenant, resource: `${layer}:${name || tenant}`, reason, detailJson: detailOf(state) },
          context,
        ),
    });
  };
  return {
    async putLimit({ limit, keys, users, ...request }, context) {
      const { layer } = limitKeyOf(context.principal, request.target);
      if (layer !== 'cost_centre' && keys.length + users.length > 0) {
        throw invalid(keys.length > 0 ? 'keys' : 'users', 'is for cost centres: leave it empty');
      }
      requireAmount(limit);
      const stored = await make(ChangeAction.LIMIT_PUT, request, context, ({ raise }) => ({
        ...{ keys, users },
        ...(limit && { limit }),
        ...(raise && { raise }),
      }));
      return { stored };
    },
    async removeLimit(request, context) {
      await make(ChangeAction.LIMIT_REMOVED, request, context, ({ limit, raise }, { name }) => {
        if (limit === undefined) throw notFound('stored limit', name);
        return { keys: [], users: [], ...(raise && { raise }) };
      });
      return {};
    },
    async raiseLimit({ limit, until, reason, ...request }, context) {
      requireAmount(limit);
      const leftMs = until === undefined ? 0 : timestampMs(until) - clock();
      if (leftMs <= 0) throw invalid('until', 'has passed');
      if (leftMs > config.maxRaiseMs) {
        throw invalid('until', `must be within ${config.maxRaiseMs / 86_400_000} days: store a limit for longer times`);
      }
      const raise = { $typeName: LimitRaiseSchema.typeName, reason, ...(limit && { limit }), ...(until && { until }) };
      const stored = await make(ChangeAction.LIMIT_RAISED, request, context, (state) => ({ ...state, raise }), reason);
      return { stored };
    },
    async endRaise(request, context) {
      await make(ChangeAction.RAISE_ENDED, request, context, ({ raise, ...state }, { name }) => {
        if (raise === undefined) throw notFound('raise', name);
        return state;
      });
      return {};
    },
    async listStoredLimits({ tenant: requested, pageSize, pageToken }, { principal }) {
      const tenant = tenantOf(principal, requested);
      const size = pageSize || defaultPageSize;
      const [layer, name] = fromPageToken(pageToken, 2);
      let query = db.selectFrom('spend_limit').selectAll().where('tenant', '=', tenant);
      if (layer !== undefined && name !== undefined) {
        query = query.where((eb) =>
          eb.or([eb('layer', '>', layer), eb.and([eb('layer', '=', layer), eb('name', '>', name)])]),
        );
      }
      const rows = await query
        .orderBy('layer')
        .orderBy('name')
        .limit(size + 1)
        .execute();
      const page = rows.slice(0, size);
      const last = page.at(-1);
      return {
        limits: page.map(toStoredLimit),
        nextPageToken: rows.length > size && last ? toPageToken([last.layer, last.name]) : '',
      };
    },
  };
}

/** Returns what a request changes. Throws PERMISSION_DENIED if the caller may not: the limit of a tenant bounds its administrators too. */
function limitKeyOf(principal: Principal, target: LimitTarget | undefined): LimitKey {
  const { layer = '', name = '' } = target ?? {};
  const tenant = tenantOf(principal, target?.tenant ?? '');
  if (layer !== 'tenant') {
    if (name === '') throw invalid('target.name', 'is missing');
    return { tenant, layer, name };
  }
  if (name !== '' && name !== tenant) throw invalid('target.name', 'is another tenant: name it in target.tenant');
  if (!principal.roles.includes(Role.PLATFORM_ADMINISTRATOR)) {
    const message = 'the limit of a tenant is changed by a platform administrator';
    throw rpcError(Code.PermissionDenied, ErrorReason.ROLE_MISSING, message);
  }
  return { tenant, layer, name: '' };
}

/** Throws INVALID_ARGUMENT for a limit that limits nothing. */
function requireAmount(limit: SpendLimit | undefined): void {
  const isSet = SpendLimitSchema.fields.some(({ localName }) => limit?.[localName as keyof SpendLimit] !== undefined);
  if (!isSet) throw invalid('limit', 'has no amount: set one, or remove the limit');
}

/** Returns the state for the audit. Its detail stays after an erasure, so it names no user. */
function detailOf({ limit, raise, keys, users }: LimitState): string {
  return JSON.stringify({
    ...(limit && { limit: toJson(SpendLimitSchema, limit) }),
    ...(raise && { raise: toJson(LimitRaiseSchema, { ...raise, reason: '' }) }),
    ...(keys.length > 0 && { keyCount: keys.length }),
    ...(users.length > 0 && { userCount: users.length }),
  });
}

function invalid(field: string, description: string) {
  return invalidArgument(`${field} ${description}`, { violations: [{ field, description }] });
}
