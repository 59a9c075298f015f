import { SourceRunState } from '#gen/ragmesh/indexer/v1/source_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { RunCounts } from '../run/counts.ts';
import type { SourceLease } from './source-store.ts';
import type { RunRow, SourcesSchema } from './source-table.ts';

/** The end of a run, or how far it is. */
export interface RunReport {
  state: SourceRunState;
  counts: RunCounts;
  jobIds: readonly string[];
  error: string;
}

/** Runs of sources, for people: nothing depends on them. */
export type RunStore = ReturnType<typeof createRunStore>;

const runsKept = 100;
const jobIdsMax = 100;

/** Creates a store in a database. */
export function createRunStore(db: Database<SourcesSchema>, clock: () => number) {
  return {
    /** Adds a run, and forgets old ones. A run that was in progress is over: its process is gone. */
    async begin({ source, fence }: SourceLease, runId: string, isDryRun: boolean, counts: RunCounts): Promise<void> {
      const { sourceId } = source;
      const mine = db.updateTable('source_runs').where('source_id', '=', sourceId);
      const lost = { state: SourceRunState.STOPPED, ended_at: clock(), error: 'its process ended' };
      await mine.where('state', '=', SourceRunState.RUNNING).set(lost).execute();
      const row = { source_id: sourceId, number: fence, run_id: runId, state: SourceRunState.RUNNING };
      const about = { is_dry_run: Number(isDryRun), started_at: clock(), ended_at: null, job_ids: '[]', error: '' };
      await db
        .insertInto('source_runs')
        .values({ ...row, ...about, counts: JSON.stringify(counts) })
        .execute();
      const old = db.deleteFrom('source_runs').where('source_id', '=', sourceId);
      await old.where('number', '<=', fence - runsKept).execute();
    },

    /** Records how far a run is, or its end. `tx`: the transaction in which its source ends it. */
    async report(
      { source, fence }: SourceLease,
      { state, counts, jobIds, error }: RunReport,
      tx: Database<SourcesSchema> = db,
    ): Promise<void> {
      await tx
        .updateTable('source_runs')
        .set({
          state,
          counts: JSON.stringify(counts),
          job_ids: JSON.stringify(jobIds.slice(0, jobIdsMax)),
          error,
          ended_at: state === SourceRunState.RUNNING ? null : clock(),
        })
        .where('source_id', '=', source.sourceId)
        .where('number', '=', fence)
        .where('state', '=', SourceRunState.RUNNING)
        .execute();
    },

    /** Returns runs, the latest first. */
    list(sourceId: string, beforeNumber: number | undefined, limit: number): Promise<RunRow[]> {
      let query = db.selectFrom('source_runs').selectAll().where('source_id', '=', sourceId);
      if (beforeNumber !== undefined) query = query.where('number', '<', beforeNumber);
      return query.orderBy('number', 'desc').limit(limit).execute();
    },
  };
}
