import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { type AuditService, type ChangeAction, ChangeActionSchema } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import type { Logger } from '#kit/base/log.ts';
import { actAs, type CallContext } from '#kit/rpc/context.ts';
import { principalOf, type TokenSigner } from '#kit/rpc/identity.ts';

/** A change for the audit of the tenant that it concerns. */
export interface Change {
  action: ChangeAction;
  /** The tenant that it concerns: its audit gets the entry. */
  tenant: string;
  /** Id of the key, or name of the tenant. */
  resource: string;
  /** Why, if a reason was needed. */
  reason?: string;
  /** The resource after the change, as JSON. */
  detailJson: string;
}

/** Records changes. */
export interface Changes {
  /** Adds the entry of a change; resolves when it is durable. Rejects if the audit cannot take it. */
  record(change: Change, context: CallContext): Promise<void>;
}

/** Longest time for an entry, in milliseconds. */
const timeoutMs = 4000;

/** Creates the recorder. Entries carry the user who made the change, as "tenant/user" in the audit of another tenant. */
export function createChanges(
  audit: Pick<Client<typeof AuditService>, 'record'>,
  signer: TokenSigner,
  clock: () => number,
  newId: () => string,
): Changes {
  return {
    async record({ tenant, ...change }, { principal, signal }) {
      const user = userIn(tenant, principal);
      const token = await signer.sign(principalOf({ tenant, user, roles: [Role.READER] }));
      const options = actAs(token, { signal, timeoutMs });
      await audit.record(
        {
          answerId: `change/${newId()}`,
          askedAt: timestampFromMs(clock()),
          change: { ...change, actorTenant: principal.tenant },
        },
        options,
      );
    },
  };
}

/** Returns the name of a user in a tenant: its own, or with the tenant from which it comes. */
export function userIn(tenant: string, { tenant: own, user }: Principal): string {
  return tenant === own ? user : `${own}/${user}`.slice(0, 128);
}

/** Records a change that has to be made even if the audit is away; the log then has it. */
export async function recordOrLog(changes: Changes, change: Change, context: CallContext, log: Logger): Promise<void> {
  try {
    await changes.record(change, context);
  } catch (error) {
    const { tenant, resource } = change;
    const { tenant: actorTenant, user } = context.principal;
    const action = enumName(ChangeActionSchema, change.action);
    log.error(
      { event: 'change_not_audited', action, tenant, resource, actorTenant, user, err: error },
      'change not audited',
    );
  }
}
