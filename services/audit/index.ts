import { join } from 'node:path';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { readConfig } from './config.ts';
import { openHeadsFile } from './records/heads-file.ts';
import { createLostEntries } from './records/lost-entries.ts';
import { type AuditSchema, migrations } from './records/schema.ts';
import { createAudit } from './service.ts';

/** Records who asked what, the sources of the answer, and its cost. */
export const audit = defineService({
  name: 'audit',
  contracts: [AuditService],
  config: readConfig,
  needs: {},
  deployment: { replicas: { min: 2, max: 6 }, callsPerReplica: 200, stores: ['postgres'] },
  place: (config) => (usesPostgres(config) ? 'everywhere' : 'owner'),
  move: ({ copyRecords }) => copyRecords('audit', migrations),
  async create({ config, openDatabase, clock, log, metrics, dataDir }) {
    const db = await openDatabase<AuditSchema>('audit', migrations);
    const path = config.headsFile ?? join(dataDir, 'heads.jsonl');
    const heads = await openHeadsFile(path, clock, log);
    const lost = createLostEntries(db, heads, path, log, metrics);
    const closing = new AbortController();
    const compared = lost.compare(closing.signal).catch((error: unknown) => {
      if (!closing.signal.aborted) log.error({ event: 'audit_not_compared', err: error }, 'audit not compared');
    });
    const { impl, writer } = createAudit({ db, config, clock, log, heads });
    return {
      impl,
      readiness: [lost.readiness],
      drain: () => writer.idle(),
      async close() {
        closing.abort();
        await compared;
        await writer.idle();
        await heads.close();
      },
    };
  },
});
