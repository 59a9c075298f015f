import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { JobPhase, JobState, JobStateSchema } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { enumName } from '#kit/base/enums.ts';
import { failedPrecondition, notFound } from '#kit/base/errors.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import {
  type Checkpoint,
  type JobQueue,
  type JobQueueDeps,
  type JobRecord,
  type JobUpdate,
  LeaseLostError,
  type Progress,
} from '../../jobs/job-queue.ts';

interface JobTable {
  sequence: number;
  job_id: string;
  tenant: string;
  user: string;
  groups: string;
  corpus: string;
  delete_missing: number;
  state: number;
  phase: number;
  progress: string;
  checkpoint: string;
  attempt_count: number;
  /** Whether the next lease continues the same attempt. */
  attempt_open: number;
  /** Workers that ended without an outcome. */
  lost_count: number;
  cancel_requested: number;
  error: string;
  created_at: number;
  updated_at: number;
  taken_at: number;
  due_at: number;
  owner: string;
  lease_until: number;
  fence: number;
  version: string;
  revision: string;
}

interface Schema {
  jobs: JobTable;
}

const migrations = [
  `CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    groups TEXT NOT NULL,
    corpus TEXT NOT NULL,
    delete_missing INTEGER NOT NULL,
    state INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    progress TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    attempt_count INTEGER NOT NULL DEFAULT 0,
    attempt_open INTEGER NOT NULL DEFAULT 0,
    lost_count INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    taken_at INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    owner TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    version TEXT NOT NULL DEFAULT '0',
    revision TEXT NOT NULL DEFAULT ''
  );
  CREATE INDEX jobs_by_corpus ON jobs (tenant, corpus, state, sequence);
  CREATE INDEX jobs_by_state ON jobs (state, sequence);
  CREATE INDEX jobs_by_tenant ON jobs (tenant, taken_at);`,
];

/** Lost workers after which the job itself is considered the cause and fails. */
const lostMax = 50;
const open = [JobState.QUEUED, JobState.RUNNING];
type Row = Selectable<JobTable>;

function createQueue(db: Kysely<Schema>, clock: () => number): JobQueue {
  return {
    async add({ jobId, tenant, user, groups, corpus, deleteMissing, totalBytes }) {
      const now = clock();
      await db
        .insertInto('jobs')
        .values({
          job_id: jobId,
          tenant,
          user,
          groups: JSON.stringify(groups),
          corpus,
          delete_missing: Number(deleteMissing),
          state: JobState.QUEUED,
          phase: JobPhase.UNSPECIFIED,
          progress: JSON.stringify({ ...noProgress, totalBytes }),
          checkpoint: JSON.stringify({ isBuilding: false } satisfies Checkpoint),
          created_at: now,
          updated_at: now,
          due_at: now,
        } as never)
        .execute();
    },

    take: ({ owner, leaseMs, isGone, busy }) =>
      db.transaction().execute(async (tx) => {
        const now = clock();
        const owners = await tx
          .selectFrom('jobs')
          .select('owner')
          .distinct()
          .where('state', '=', JobState.RUNNING)
          .execute();
        const gone = owners.map((row) => row.owner).filter((name) => name === owner || isGone(name));
        for (;;) {
          const row = await nextRow(tx, gone, busy, now);
          if (row === undefined) return undefined;
          const wasLost = row.state === JobState.RUNNING;
          if (wasLost && row.lost_count >= lostMax) {
            await fail(tx, row, now);
            continue;
          }
          const change = {
            state: JobState.RUNNING,
            owner,
            lease_until: now + leaseMs,
            fence: row.fence + 1,
            attempt_count: row.attempt_count + (row.attempt_open === 1 ? 0 : 1),
            attempt_open: 1,
            error: '',
            lost_count: wasLost ? row.lost_count + 1 : row.lost_count,
            taken_at: now,
            updated_at: now,
          };
          await tx.updateTable('jobs').set(change).where('sequence', '=', row.sequence).execute();
          return { job: toRecord({ ...row, ...change }), fence: change.fence, owner, leaseMs };
        }
      }),

    async update(lease, update) {
      const { owner, leaseMs } = lease;
      const now = clock();
      const rows = await db
        .updateTable('jobs')
        .set({ lease_until: now + leaseMs, updated_at: now, ...toChange(update) })
        .where('job_id', '=', lease.job.jobId)
        .where('state', '=', JobState.RUNNING)
        .where('owner', '=', owner)
        .where('fence', '=', lease.fence)
        .returning('cancel_requested')
        .execute();
      if (rows[0] === undefined) throw new LeaseLostError(lease.job.jobId);
      return { isCancelRequested: rows[0].cancel_requested === 1 };
    },

    request: (tenant, jobId, what) =>
      db.transaction().execute(async (tx) => {
        const find = () =>
          tx.selectFrom('jobs').selectAll().where('tenant', '=', tenant).where('job_id', '=', jobId).executeTakeFirst();
        const row = await find();
        if (row === undefined) throw notFound('job', jobId);
        const change = what === 'cancel' ? cancelOf(row) : retryOf(row);
        if (change === undefined) return toRecord(row);
        const now = clock();
        await tx
          .updateTable('jobs')
          .set({ ...change, due_at: now, updated_at: now })
          .where('sequence', '=', row.sequence)
          .execute();
        return toRecord((await find()) ?? row);
      }),

    async list({ tenant, jobId, corpus, states, beforeSequence, limit }) {
      let query = db.selectFrom('jobs').selectAll().orderBy('sequence', 'desc').limit(limit);
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      if (jobId !== undefined) query = query.where('job_id', '=', jobId);
      if (corpus !== undefined) query = query.where('corpus', '=', corpus);
      if (states !== undefined) query = query.where('state', 'in', [...states]);
      if (beforeSequence !== undefined) query = query.where('sequence', '<', beforeSequence);
      return (await query.execute()).map(toRecord);
    },

    async countOpen(tenant) {
      let query = db.selectFrom('jobs').select(db.fn.countAll<number>().as('count')).where('state', 'in', open);
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      return (await query.executeTakeFirstOrThrow()).count;
    },
  };
}

/** Returns the next open job: the first of its corpus, of the tenant that was served longest ago. */
async function nextRow(
  tx: Transaction<Schema>,
  gone: readonly string[],
  busy: readonly string[],
  now: number,
): Promise<Row | undefined> {
  return await tx
    .selectFrom('jobs as job')
    .selectAll('job')
    .where((eb) =>
      eb.or([
        eb.and([eb('job.state', '=', JobState.QUEUED), eb('job.due_at', '<=', now)]),
        eb.and([
          eb('job.state', '=', JobState.RUNNING),
          eb.or([eb('job.lease_until', '<=', now), ...(gone.length > 0 ? [eb('job.owner', 'in', [...gone])] : [])]),
        ]),
      ]),
    )
    .where('job.job_id', 'not in', [...busy, ''])
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('jobs as earlier')
            .select('earlier.sequence')
            .whereRef('earlier.tenant', '=', 'job.tenant')
            .whereRef('earlier.corpus', '=', 'job.corpus')
            .where('earlier.state', 'in', open)
            .whereRef('earlier.sequence', '<', 'job.sequence'),
        ),
      ),
    )
    .orderBy(sql`(SELECT max(served.taken_at) FROM jobs AS served WHERE served.tenant = job.tenant)`)
    .orderBy('job.sequence')
    .limit(1)
    .executeTakeFirst();
}

async function fail(tx: Transaction<Schema>, row: Row, now: number): Promise<void> {
  const error = `failed after ${row.lost_count} lost workers: see their logs`;
  await tx
    .updateTable('jobs')
    .set({ state: JobState.FAILED, error, owner: '', attempt_open: 0, updated_at: now })
    .where('sequence', '=', row.sequence)
    .execute();
}

function toChange({ phase, progress, checkpoint, outcome }: JobUpdate) {
  return {
    ...(phase !== undefined && { phase }),
    ...(progress !== undefined && { progress: JSON.stringify(progress) }),
    ...(checkpoint !== undefined && { checkpoint: JSON.stringify(checkpoint) }),
    ...(outcome !== undefined && { owner: '', lease_until: 0, ...toEnd(outcome) }),
  };
}

function toEnd(outcome: NonNullable<JobUpdate['outcome']>) {
  switch (outcome.kind) {
    case 'succeeded': {
      const { revision } = outcome;
      const end = { state: JobState.SUCCEEDED, error: '', attempt_open: 0, lost_count: 0 };
      return { ...end, version: String(outcome.version), revision };
    }
    case 'cancelled':
      return { state: JobState.CANCELLED, error: '', attempt_open: 0 };
    case 'failed':
      return { state: JobState.FAILED, error: outcome.error, attempt_open: 0 };
    case 'retry':
      return { state: JobState.QUEUED, error: outcome.error, attempt_open: 0, due_at: outcome.dueAtMs };
    case 'released':
      return { state: JobState.QUEUED, due_at: outcome.dueAtMs };
    default:
      return outcome satisfies never;
  }
}

/** Returns the columns that a cancel changes; `undefined` if the job is already cancelled. */
function cancelOf(row: Row) {
  const { isBuilding } = JSON.parse(row.checkpoint) as Checkpoint;
  switch (row.state) {
    case JobState.CANCELLED:
      return undefined;
    case JobState.SUCCEEDED:
      throw wrongState(row, 'it is done');
    case JobState.RUNNING:
      return { cancel_requested: 1 };
    default:
      // A worker must drop the unfinished version first.
      return isBuilding ? { state: JobState.QUEUED, cancel_requested: 1 } : { state: JobState.CANCELLED, error: '' };
  }
}

function retryOf(row: Row) {
  if (row.state !== JobState.FAILED) throw wrongState(row, 'only a failed job can be tried again');
  return { state: JobState.QUEUED, attempt_count: 0, attempt_open: 0, lost_count: 0, cancel_requested: 0 };
}

function wrongState(row: Row, why: string) {
  const state = enumName(JobStateSchema, row.state);
  return failedPrecondition(ErrorReason.JOB_STATE, `the job is in state ${state}: ${why}`, { metadata: { state } });
}

const noProgress: Progress = {
  documentCount: 0,
  changedCount: 0,
  indexedCount: 0,
  unchangedCount: 0,
  removedCount: 0,
  failedCount: 0,
  chunkCount: 0,
  readBytes: 0,
  totalBytes: 0,
};

function toRecord(row: Row): JobRecord {
  return {
    sequence: row.sequence,
    jobId: row.job_id,
    tenant: row.tenant,
    user: row.user,
    groups: JSON.parse(row.groups) as string[],
    corpus: row.corpus,
    deleteMissing: row.delete_missing === 1,
    state: row.state as JobState,
    phase: row.phase as JobPhase,
    progress: JSON.parse(row.progress) as Progress,
    checkpoint: JSON.parse(row.checkpoint) as Checkpoint,
    attemptCount: row.attempt_count,
    isCancelRequested: row.cancel_requested === 1,
    error: row.error,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    version: BigInt(row.version),
    revision: row.revision,
  };
}

/** Keeps jobs in SQLite: one file, one table. */
export const adapter = defineAdapter({
  settings: {},
  create: async (_settings: object, { openDatabase, clock }: JobQueueDeps) =>
    createQueue(await openDatabase<Schema>('jobs', { sqlite: migrations }), clock),
});
