import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import { readConfig } from './config.ts';
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
  async create({ config, openDatabase, clock, log }) {
    const db = await openDatabase<AuditSchema>('audit', migrations);
    const { impl, writer } = createAudit({ db, config, clock, log });
    return {
      impl,
      drain: () => writer.idle(),
      close: () => writer.idle(),
    };
  },
});
