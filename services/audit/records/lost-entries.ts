import { Gauge } from 'prom-client';
import type { Logger } from '#kit/base/log.ts';
import type { Metrics } from '#kit/base/metrics/metrics.ts';
import type { ReadinessCheck } from '#kit/host/readiness.ts';
import type { Database } from '#kit/storage/database.ts';
import type { ChainHead, HeadsFile } from './heads-file.ts';
import type { AuditSchema } from './schema.ts';

/** Compares the database with the ends of chains that are kept outside of it. */
export interface LostEntries {
  /** Looks for every end that the file had at the start. Logs the tenants that lost entries. */
  compare(signal: AbortSignal): Promise<void>;
  /** Says how many chains lost entries; the service answers for the others. */
  readonly readiness: ReadinessCheck;
}

/** Tenants compared in one query. */
const pageSize = 200;

/** What to do about it. */
const adviceOf = (path: string) =>
  `restore the audit database from a backup, or accept the loss: stop, remove the lines of the tenant from ${path}, start`;

/** Creates the comparison. */
export function createLostEntries(
  db: Database<AuditSchema>,
  heads: HeadsFile,
  path: string,
  log: Logger,
  { registry }: Pick<Metrics, 'registry'>,
): LostEntries {
  let lostCount = 0;
  new Gauge({
    name: 'ragmesh_audit_truncated_chains',
    help: 'Chains of the audit whose end, kept outside of the database, is no longer in it: entries were lost or replaced',
    aggregator: 'max',
    registers: [registry],
    collect() {
      this.set(lostCount);
    },
  });
  return {
    async compare(signal) {
      for (let start = 0; start < heads.atStart.length; start += pageSize) {
        signal.throwIfAborted();
        for (const { tenant, sequence } of await findLost(db, heads.atStart.slice(start, start + pageSize))) {
          lostCount++;
          log.error({ event: 'audit_entries_lost', tenant, sequence, advice: adviceOf(path) }, 'audit entries lost');
        }
      }
    },
    readiness: {
      name: 'audit_chain',
      isOptional: true,
      async check() {
        if (lostCount > 0) throw new Error(`${lostCount} chains lost entries: ${adviceOf(path)}`);
      },
    },
  };
}

/** Returns the ends that the database does not have, or has with another hash. */
export async function findLost(db: Database<AuditSchema>, heads: readonly ChainHead[]): Promise<ChainHead[]> {
  if (heads.length === 0) return [];
  const rows = await db
    .selectFrom('entries')
    .select(['tenant', 'hash'])
    .where((eb) =>
      eb.or(heads.map(({ tenant, sequence }) => eb.and([eb('tenant', '=', tenant), eb('sequence', '=', sequence)]))),
    )
    .execute();
  const hashes = new Map(rows.map(({ tenant, hash }) => [tenant, Buffer.from(hash)]));
  return heads.filter(({ tenant, hash }) => hashes.get(tenant)?.equals(hash) !== true);
}
