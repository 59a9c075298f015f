import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { PrivacyService } from '#gen/ragmesh/privacy/v1/privacy_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { dayMs, type Retention } from './config.ts';
import type { Erasures } from './erasures/erasures.ts';
import type { Stores } from './erasures/stores.ts';
import { exportUser } from './export/export-user.ts';
import type { Records } from './records/records.ts';

/** What the service needs. */
export interface PrivacyDeps {
  erasures: Erasures;
  records: Records;
  stores: Stores;
  /** How long tenants keep what. */
  retention: readonly Retention[];
  clock: () => number;
}

/** Creates the rpcs of the service. */
export function createPrivacy({
  erasures,
  records,
  stores,
  retention,
  clock,
}: PrivacyDeps): ServiceHandlers<typeof PrivacyService> {
  return {
    async eraseUser({ user, erasureId }, { principal, signal }) {
      return { erasure: await erasures.run(principal, erasureId, { kind: 'user', user }, signal) };
    },
    async eraseDocument({ corpus, documentId, erasureId }, { principal, signal }) {
      return { erasure: await erasures.run(principal, erasureId, { kind: 'document', corpus, documentId }, signal) };
    },
    async getErasure({ erasureId }, { principal: { tenant } }) {
      return { erasure: await erasures.get(tenant, erasureId) };
    },
    listErasures: ({ pageSize, pageToken }, { principal }) => erasures.list(principal.tenant, pageSize, pageToken),
    getRetention(_, { principal }) {
      const own = retention.find(({ tenant }) => tenant === principal.tenant);
      return {
        ...ifDays('sessionsDays', own?.sessionsMs),
        ...ifDays('feedbackDays', own?.feedbackMs),
        ...ifDays('auditDays', own?.auditMs),
        ...ifDays('ledgerDays', own?.ledgerMs),
        ...ifDays('cacheDays', own?.cacheMs),
      };
    },
    exportUser: ({ user }, context) => exportUser(stores, user, () => context.forward()),
    async putLegalHold({ user, reason }, context) {
      const { tenant, user: setBy } = context.principal;
      await records.putHold({ tenant, user, reason, set_by: setBy, set_at: clock() });
      // Recorded here first: until chat knows, no erasure begins, and a call that fails is repeated.
      await stores.chat.setChatHold({ user, isHeld: true }, context.forward());
      return {};
    },
    async releaseLegalHold({ user }, context) {
      await stores.chat.setChatHold({ user, isHeld: false }, context.forward());
      await records.releaseHold(context.principal.tenant, user);
      return {};
    },
    async listLegalHolds(_, { principal: { tenant } }) {
      const holds = await records.listHolds(tenant);
      return {
        holds: holds.map(({ user, reason, set_by: setBy, set_at }) => ({
          ...{ user, reason, setBy },
          setAt: timestampFromMs(set_at),
        })),
      };
    },
  };
}

function ifDays<Name extends string>(name: Name, ms: number | undefined): Partial<Record<Name, number>> {
  return ms === undefined ? {} : ({ [name]: ms / dayMs } as Record<Name, number>);
}
