import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import { eraseDocument, eraseUser, expire } from './erase.ts';
import type { EraseDeps } from './erasure.ts';

/** Creates the rpcs that erase. */
export function createErasureRpcs(deps: EraseDeps): ServiceHandlers<typeof AuditErasureService> {
  return {
    async eraseAuditUser({ erasureId, user }, { principal, signal }) {
      const erasure = { tenant: principal.tenant, actor: principal.user, erasureId };
      const { sealedCount, redactedCount, ledgerCount } = await eraseUser(deps, erasure, user, signal);
      await scrubDatabase(deps.db);
      return {
        sealedCount: BigInt(sealedCount),
        redactedCount: BigInt(redactedCount),
        ledgerCount: BigInt(ledgerCount),
      };
    },
    async eraseAuditDocument({ erasureId, ...document }, { principal, signal }) {
      const erasure = { tenant: principal.tenant, actor: principal.user, erasureId };
      const redactedCount = await eraseDocument(deps, erasure, document, signal);
      await scrubDatabase(deps.db);
      return { redactedCount: BigInt(redactedCount) };
    },
    async expireAudit({ erasureId, entriesBefore, ledgerBefore, heldUsers }, { principal, signal }) {
      const erasure = { tenant: principal.tenant, actor: principal.user, erasureId };
      const expiry = {
        entriesBefore: entriesBefore && timestampMs(entriesBefore),
        ledgerBefore: ledgerBefore && timestampMs(ledgerBefore),
        heldUsers,
      };
      const { redactedCount, ledgerCount } = await expire(deps, erasure, expiry, signal);
      if (redactedCount + ledgerCount > 0) await scrubDatabase(deps.db);
      return { redactedCount: BigInt(redactedCount), ledgerCount: BigInt(ledgerCount) };
    },
  };
}
