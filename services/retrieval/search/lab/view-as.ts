import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { type AuditService, ChangeAction } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import { Role } from '#gen/ragmesh/common/v1/rpc_policy_pb.ts';
import type { ViewAs } from '#gen/ragmesh/retrieval/v1/search_lab_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import type { Viewer } from '../viewer.ts';

/** What a look as another principal needs. */
export interface ViewAsDeps {
  /** Returns the client of the audit. Throws if this process cannot reach it. */
  audit: () => Pick<Client<typeof AuditService>, 'record'>;
  clock: () => number;
  newId: () => string;
}

/** The viewer of a search, and groups of its principal that the caller does not have. */
export interface ChosenViewer {
  viewer: Viewer;
  groupsLeftOut: string[];
}

/** Longest time for an entry of the audit, in milliseconds. */
const auditTimeoutMs = 4000;

/**
 * Returns the viewer of a search in the lab. Another principal has the tenant and the corpora of the caller, the role of a reader, and those of
 * its groups that the caller has too, so it sees nothing that the caller does not.
 */
export function chooseViewer(caller: Principal, viewAs: ViewAs | undefined): ChosenViewer {
  const viewer = { isOperator: true, mayName: 'published' as const };
  if (viewAs === undefined) return { viewer: { ...viewer, principal: caller }, groupsLeftOut: [] };
  const own = new Set(caller.groups);
  const { tenant, corpora } = caller;
  const groups = viewAs.groups.filter((group) => own.has(group));
  const principal = create(PrincipalSchema, { tenant, user: viewAs.user, groups, roles: [Role.READER], corpora });
  return { viewer: { ...viewer, principal }, groupsLeftOut: viewAs.groups.filter((group) => !own.has(group)) };
}

/** Records that the caller looks as another principal. Resolves when the entry is durable; throws UNAVAILABLE if the audit cannot take it. */
export async function recordView(
  { audit, clock, newId }: ViewAsDeps,
  { user, groups, reason }: ViewAs,
  what: Readonly<Record<string, unknown>>,
  context: CallContext,
): Promise<void> {
  const { tenant } = context.principal;
  const change = {
    action: ChangeAction.VIEWED_AS,
    resource: user,
    actorTenant: tenant,
    reason,
    detailJson: JSON.stringify({ groups, ...what }),
  };
  try {
    await audit().record(
      { answerId: `change/${newId()}`, askedAt: timestampFromMs(clock()), change },
      context.forward({ timeoutMs: auditTimeoutMs }),
    );
  } catch (error) {
    context.signal.throwIfAborted();
    throw unavailable('audit', 'the audit did not take the entry of this look: try again', error);
  }
}
