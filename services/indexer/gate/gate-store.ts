import { GateMode } from '#gen/ragmesh/indexer/v1/version_gate_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { OnBehalfOf } from '../jobs/run/caller.ts';
import type { RecordsSchema } from '../uploads/records.ts';

/** A corpus of a tenant. */
interface CorpusOf {
  tenant: string;
  corpus: string;
}

/** The gate that applies to a job. */
export interface AppliedGate {
  mode: GateMode;
  dataSets: readonly string[];
  /** Groups with which judged questions are asked. */
  groups: readonly string[];
  /** The trial of versions that pass; both shares 0: none. */
  trial: TrialShares;
}

/** How much of the questions a version on trial gets, each of 100. */
export interface TrialShares {
  canaryPercent: number;
  shadowPercent: number;
}

/** The shares of no trial. */
export const noTrial: TrialShares = { canaryPercent: 0, shadowPercent: 0 };

/** Returns whether there is a trial. */
export function hasTrial({ canaryPercent, shadowPercent }: TrialShares): boolean {
  return canaryPercent > 0 || shadowPercent > 0;
}

/** A gate that an operator has set. */
export interface StoredGate extends AppliedGate {
  changedBy: string;
  changedAtMs: number;
}

/** Gates of corpora. */
export interface GateStore {
  /** Returns the gate of a job's corpus: the stored one, else that of the configuration with the groups of the job. */
  find(job: CorpusOf & OnBehalfOf): Promise<AppliedGate>;
  /** Returns the stored gate; `undefined` if none was set. */
  read(scope: CorpusOf): Promise<StoredGate | undefined>;
  /** Stores a gate; `undefined` removes it. */
  put(scope: CorpusOf, gate: StoredGate | undefined): Promise<void>;
}

/** Creates the store. `mode`: of corpora without a gate of their own. */
export function createGateStore(db: Database<RecordsSchema>, mode: GateMode): GateStore {
  const read = async ({ tenant, corpus }: CorpusOf): Promise<StoredGate | undefined> => {
    const row = await db
      .selectFrom('gates')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('corpus', '=', corpus)
      .executeTakeFirst();
    return (
      row && {
        mode: row.mode as GateMode,
        dataSets: JSON.parse(row.data_sets) as string[],
        groups: JSON.parse(row.groups) as string[],
        trial: { canaryPercent: row.canary_percent, shadowPercent: row.shadow_percent },
        changedBy: row.changed_by,
        changedAtMs: row.changed_at,
      }
    );
  };
  return {
    read,
    async find(job) {
      const stored = (await read(job)) ?? { mode, dataSets: [], groups: job.groups ?? [], trial: noTrial };
      const needsSet = stored.mode === GateMode.JUDGED && stored.dataSets.length === 0;
      return needsSet ? { ...stored, dataSets: [job.corpus] } : stored;
    },
    async put({ tenant, corpus }, gate) {
      if (gate === undefined) {
        await db.deleteFrom('gates').where('tenant', '=', tenant).where('corpus', '=', corpus).execute();
        return;
      }
      const values = {
        mode: gate.mode,
        data_sets: JSON.stringify(gate.dataSets),
        groups: JSON.stringify(gate.groups),
        changed_by: gate.changedBy,
        changed_at: gate.changedAtMs,
        canary_percent: gate.trial.canaryPercent,
        shadow_percent: gate.trial.shadowPercent,
      };
      await db
        .insertInto('gates')
        .values({ tenant, corpus, ...values })
        .onConflict((conflict) => conflict.columns(['tenant', 'corpus']).doUpdateSet(values))
        .execute();
    },
  };
}
