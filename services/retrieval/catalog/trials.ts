import { insertRows, remove, rows, sql, update } from './engines/sql.ts';
import type { CatalogTables } from './engines/tables.ts';
import { newRevision } from './states.ts';

/** A version that is on trial before it becomes live. */
export interface TrialRecord {
  version: number;
  /** Sessions that it answers, of 100. */
  canaryPercent: number;
  /** Searches of the live version that are made in it too, of 100. */
  shadowPercent: number;
  startedMs: number;
}

/** Sums over the shadow searches of a trial. */
export interface TrialSums {
  compared: number;
  /** Searches with the same passages in the same order. */
  same: number;
  /** Of shares of common passages, each 0 to 1. */
  overlap: number;
  /** Of nDCG, each 0 to 1. */
  ndcg: number;
  onlyLive: number;
  onlyCandidate: number;
  failed: number;
  dropped: number;
}

/** The trials of versions. */
export interface TrialCatalog {
  /** Begins a trial, or changes the shares of the running one of the same version. `undefined` ends it. Makes a new revision of the corpus. */
  put(tenant: string, corpusId: number, trial: TrialRecord | undefined): Promise<void>;
  /** Returns the sums of a trial; `undefined` if the version is not on trial. */
  sums(tenant: string, corpusId: number, version: number, signal: AbortSignal): Promise<TrialSums | undefined>;
  /** Adds to the sums of a trial; nothing if the version is not on trial any more. */
  add(tenant: string, corpusId: number, version: number, sums: TrialSums): Promise<void>;
}

/** Columns of the record of a trial. */
export const trialColumns: readonly string[] = [
  ...['corpus_id', 'version', 'canary_percent', 'shadow_percent', 'started_ms'],
];

/** Creates the catalog of trials. */
export function createTrialCatalog(tables: CatalogTables): TrialCatalog {
  return {
    async put(tenant, corpusId, trial) {
      if (trial === undefined) {
        await tables.write(tenant, [remove('trial', sql`corpus_id = ${corpusId}`), ...newRevision(corpusId)]);
        return;
      }
      const { version, canaryPercent, shadowPercent, startedMs } = trial;
      await tables.write(tenant, [
        remove('trial', sql`corpus_id = ${corpusId} AND version <> ${version}`),
        insertRows('trial', trialColumns, [[corpusId, version, canaryPercent, shadowPercent, startedMs]], true),
        update(
          'trial',
          sql`canary_percent = ${canaryPercent}, shadow_percent = ${shadowPercent}`,
          sql`corpus_id = ${corpusId}`,
        ),
        ...newRevision(corpusId),
      ]);
    },
    async sums(tenant, corpusId, version, signal) {
      const query = sql`SELECT * FROM ${rows('trial')} WHERE corpus_id = ${corpusId} AND version = ${version}`;
      const [row] = await tables.read(tenant, query, signal);
      if (row === undefined) return undefined;
      const of = (column: string) => Number(row[column]);
      return {
        ...{ compared: of('compared'), same: of('same'), overlap: of('overlap'), ndcg: of('ndcg') },
        ...{ onlyLive: of('only_live'), onlyCandidate: of('only_candidate') },
        ...{ failed: of('failed'), dropped: of('dropped') },
      };
    },
    async add(tenant, corpusId, version, sums) {
      const { compared, same, overlap, ndcg, onlyLive, onlyCandidate, failed, dropped } = sums;
      await tables.write(tenant, [
        update(
          'trial',
          sql`compared = compared + ${compared}, same = same + ${same}, overlap = overlap + ${overlap}, ndcg = ndcg + ${ndcg},
            only_live = only_live + ${onlyLive}, only_candidate = only_candidate + ${onlyCandidate},
            failed = failed + ${failed}, dropped = dropped + ${dropped}`,
          sql`corpus_id = ${corpusId} AND version = ${version}`,
        ),
      ]);
    },
  };
}
