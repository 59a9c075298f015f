import { AuditService, type ChangeAction, type RecordRequest } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import { defineService } from '#kit/host/define-service.ts';
import type { CallContext } from '#kit/rpc/context.ts';

/** A change as it was recorded. */
export interface RecordedChange {
  tenant: string;
  user: string;
  action: ChangeAction | undefined;
  detail: string | undefined;
}

/** Creates an audit that keeps changes in memory. */
export function createAuditStandIn() {
  const changes: RecordedChange[] = [];
  const state = {
    changes,
    /** Whether it refuses records. */
    isAway: false,
    reset() {
      changes.length = 0;
      state.isAway = false;
    },
    service: defineService({
      name: 'audit',
      contracts: [AuditService],
      config: () => ({}),
      needs: {},
      async create() {
        const record = ({ change }: RecordRequest, { principal: { tenant, user } }: CallContext) => {
          if (state.isAway) throw unavailable('audit', 'the audit is away');
          changes.push({ tenant, user, action: change?.action, detail: change?.detailJson });
          return { sequence: BigInt(changes.length) };
        };
        return { impl: { record } as never, close: async () => {} };
      },
    }),
  };
  return state;
}
