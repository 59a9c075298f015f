import { join } from 'node:path';
import { AuditErasureService } from '#gen/ragmesh/audit/v1/audit_erasure_pb.ts';
import { AuditExportService } from '#gen/ragmesh/audit/v1/audit_export_pb.ts';
import { AuditService } from '#gen/ragmesh/audit/v1/audit_pb.ts';
import { UsageService } from '#gen/ragmesh/audit/v1/usage_pb.ts';
import type { Logger } from '#kit/base/log.ts';
import { defineService, usesPostgres } from '#kit/host/define-service.ts';
import type { MaskingKey } from '#kit/personal-data/seal.ts';
import { type Engine, engineOf } from '#kit/storage/engine.ts';
import { type AuditSettings, readConfig } from './config.ts';
import { openHeadsFile } from './records/heads-file.ts';
import { createLostEntries } from './records/lost-entries.ts';
import { type AuditSchema, migrations } from './records/schema.ts';
import { createAudit } from './service.ts';
import { readKeyFile, readOrCreateKeyFile } from './subjects/key-file.ts';
import { createKeyWrapper } from './subjects/key-wrapper.ts';
import { createSubjects } from './subjects/subjects.ts';

/** Records who asked what, the sources of the answer, and its cost. */
export const audit = defineService({
  name: 'audit',
  contracts: [AuditService, AuditErasureService, AuditExportService, UsageService],
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
    const subjects = createSubjects(db, createKeyWrapper(keysOf(config, engineOf(db), dataDir, log)), clock);
    const rewrapped = subjects.rewrap(closing.signal).then(
      (count) => count > 0 && log.info({ event: 'audit_keys_rewrapped', key_count: count }, 'audit keys wrapped again'),
      (error: unknown) => {
        if (!closing.signal.aborted) log.error({ event: 'audit_keys_not_rewrapped', err: error }, 'keys not rewrapped');
      },
    );
    const { impl, writer } = createAudit({ db, config, clock, log, heads, subjects });
    return {
      impl,
      readiness: [lost.readiness],
      drain: () => writer.idle(),
      async close() {
        closing.abort();
        await compared;
        await rewrapped;
        await writer.idle();
        await heads.close();
      },
    };
  },
});

/**
 * Returns the keys that encrypt the keys of users: those of the configuration, then that of the file beside the records. The file is made for an
 * embedded database only: replicas could not read what is encrypted under each other's.
 */
function keysOf({ keys, sealUsers }: AuditSettings, engine: Engine, dataDir: string, log: Logger): MaskingKey[] {
  const path = join(dataDir, 'users.key');
  const isMade = sealUsers && keys.length === 0 && engine === 'sqlite';
  const file = isMade ? readOrCreateKeyFile(path) : readKeyFile(path);
  const all = [...keys, ...(file === undefined ? [] : [file])];
  if (sealUsers && all.length === 0) {
    const advice = 'set personal_data.keys: a copy of the database opens its entries';
    log.warn({ event: 'audit_keys_not_wrapped', advice }, 'keys of users not encrypted');
  }
  return all;
}
