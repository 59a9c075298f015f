import { toBinary } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import type { AuditExportService } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import {
  type AuditService,
  type RecordRequest,
  type RecordUsageRequest,
  RecordUsageRequestSchema,
} from '#gen/ragmesh/audit/v1/audit_pb.ts';
import type { UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { unavailable } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { ServiceHandlers } from '#kit/rpc/handlers.ts';
import type { Database } from '#kit/storage/database.ts';
import type { AuditSettings } from './config.ts';
import { createErasureRpcs } from './erasure/erasure-rpcs.ts';
import { exportEntries } from './export/export-entries.ts';
import { toRecordBytes } from './records/chain.ts';
import { createDocumentSets } from './records/document-sets.ts';
import { createGroupCommit, type GroupCommit } from './records/group-commit.ts';
import type { HeadsFile } from './records/heads-file.ts';
import { queryEntries } from './records/query.ts';
import type { AuditSchema } from './records/schema.ts';
import { verifyChain } from './records/verify.ts';
import { type Write, type Written, writeBatch } from './records/write.ts';
import { splitRecord } from './subjects/seal-record.ts';
import type { Subjects } from './subjects/subjects.ts';
import { createUsageRpcs } from './usage/usage-rpcs.ts';
import { reportUsage } from './usage/usage-sums.ts';

/** What the service needs. */
export interface AuditDeps {
  db: Database<AuditSchema>;
  config: AuditSettings;
  clock: () => number;
  log: Logger;
  /** Ends of the chains outside of the database. */
  heads: HeadsFile;
  /** The keys of users. */
  subjects: Subjects;
}

/** The rpcs of the audit service, and the writer behind them. */
export interface Audit {
  impl: ServiceHandlers<typeof AuditService> &
    ServiceHandlers<typeof AuditErasureService> &
    ServiceHandlers<typeof AuditExportService> &
    ServiceHandlers<typeof UsageService>;
  writer: GroupCommit<Write, Written>;
}

/** Creates the audit service. */
export function createAudit({ db, config, clock, log, heads, subjects }: AuditDeps): Audit {
  const sets = createDocumentSets();
  const writing = { db, sets, heads, subjects };
  const writer = createGroupCommit<Write, Written>({
    ...config,
    commit: (batch) =>
      writeBatch(writing, batch, clock()).catch((error: unknown) => {
        log.error({ err: error, event: 'audit_write_failed', record_count: batch.length }, 'audit write failed');
        throw unavailable('audit database', 'the record cannot be written: try again', error);
      }),
  });
  const append = async ({ tenant, user }: Principal, record: RecordRequest) => {
    const { open, personal } = config.sealUsers ? splitRecord(user, record) : { open: record };
    const recordBytes = toRecordBytes(open);
    const answer = { kind: 'answer', tenant, user, record: open, recordBytes, personal } as const;
    return BigInt(await writer.append(answer, recordBytes.byteLength + (personal?.byteLength ?? 0)));
  };
  const appendUsage = async (
    { tenant, user, keyId: key }: Principal & { keyId: string },
    request: RecordUsageRequest,
  ) => {
    const bytes = toBinary(RecordUsageRequestSchema, request);
    return (await writer.append({ kind: 'usage', tenant, user, key, request, bytes }, bytes.byteLength)) === true;
  };
  return {
    writer,
    impl: {
      async record(record, { principal }) {
        return { sequence: await append(principal, record) };
      },
      async recordAll({ records }, { principal }) {
        return { sequences: await Promise.all(records.map((record) => append(principal, record))) };
      },
      async recordUsage(request, { principal }) {
        return { recorded: await appendUsage(principal, request) };
      },
      async recordAllUsage({ requests }, { principal }) {
        return { recorded: await Promise.all(requests.map((request) => appendUsage(principal, request))) };
      },
      async *queryAudit(request, context) {
        const { tenant } = context.principal;
        yield* queryEntries(db, subjects, tenant, request, context.signal);
      },
      exportAudit: (request, context) => exportEntries(db, subjects, context.principal.tenant, request, context.signal),
      async verifyChain(_, context) {
        const { tenant } = context.principal;
        const { entryCount, firstBad, ...erased } = await verifyChain(db, tenant, heads.of(tenant), context.signal);
        if (firstBad !== undefined)
          log.error({ event: 'audit_chain_broken', tenant, sequence: firstBad }, 'audit chain broken');
        return {
          entryCount: BigInt(entryCount),
          intact: firstBad === undefined,
          firstBadSequence: BigInt(firstBad ?? 0),
          erasedCount: BigInt(erased.erasedCount),
          redactedCount: BigInt(erased.redactedCount),
          keyMissingCount: BigInt(erased.keyMissingCount),
          erasures: [...erased.erasures],
        };
      },
      async getUsageReport({ from, before }, context) {
        const { tenant } = context.principal;
        return { rows: await reportUsage(db, tenant, from && timestampMs(from), before && timestampMs(before)) };
      },
      ...createUsageRpcs(db),
      ...createErasureRpcs({ db, subjects, heads, clock }),
    },
  };
}
