import { type Expression, type ExpressionBuilder, type SqlBool, sql, type Transaction } from 'kysely';
import { JobState } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockKey, lockNames } from '#kit/storage/postgres/database.ts';
import { type JobStore, type JobWish, LeaseLostError, type Taker } from './job-store.ts';
import {
  cancelOf,
  checkOf,
  decisionOf,
  type JobRow,
  type JobsSchema,
  retryOf,
  toChange,
  toRecord,
  toRow,
} from './job-table.ts';

/** Lost workers after which the job itself is considered the cause and fails. */
const lostMax = 50;
/** Jobs that one `take` looks at before it reports that none is due. */
const looksMax = 100;
const open = [JobState.QUEUED, JobState.RUNNING];

/** Creates a store in a database. `clock`: now, in milliseconds since 1970; replicas agree on it within a fraction of a lease. */
export function createJobStore(db: Database<JobsSchema>, clock: () => number): JobStore {
  const isShared = engineOf(db) === 'postgres';
  // A transaction that opens a job holds the lock of its corpus, so that jobs get their positions in the order in which they become
  // visible, and two jobs of a corpus never run.
  const lockCorpus = async (tx: Transaction<JobsSchema>, tenant: string, corpus: string) => {
    if (isShared) await lockNames(tx, corpusLocks, [nameOf(tenant, corpus)]);
  };
  return {
    add: (job) =>
      db.transaction().execute(async (tx) => {
        await lockCorpus(tx, job.tenant, job.corpus);
        await tx.insertInto('jobs').values(toRow(job, clock())).execute();
      }),

    take: (taker, jobId) => db.transaction().execute((tx) => take(tx, taker, jobId, clock(), isShared)),

    async announce(againMs, limit) {
      const now = clock();
      const due = db
        .selectFrom('jobs as job')
        .select('job.sequence')
        .where((eb) => isTakeable(eb, [], now))
        .where((eb) =>
          eb.or([eb('job.announced_at', '<=', eb.ref('job.updated_at')), eb('job.announced_at', '<=', now - againMs)]),
        )
        .orderBy('job.urgent', 'desc')
        .orderBy('job.sequence')
        .limit(limit);
      const rows = await db
        .updateTable('jobs')
        .set({ announced_at: now })
        .where('sequence', 'in', isShared ? due.forUpdate('job').skipLocked() : due)
        .returning(['job_id', 'tenant', 'corpus', 'urgent'])
        .execute();
      return rows.map(({ job_id: jobId, tenant, corpus, urgent }) => ({
        jobId,
        tenant,
        corpus,
        isUrgent: urgent === 1,
      }));
    },

    async unannounce(jobIds) {
      await db
        .updateTable('jobs')
        .set({ announced_at: 0 })
        .where('job_id', 'in', [...jobIds, ''])
        .execute();
    },

    async update(lease, update) {
      const { owner, leaseMs } = lease;
      const now = clock();
      const row = await db
        .updateTable('jobs')
        .set({ lease_until: now + leaseMs, updated_at: now, ...toChange(update) })
        .where('job_id', '=', lease.job.jobId)
        .where('state', '=', JobState.RUNNING)
        .where('owner', '=', owner)
        .where('fence', '=', lease.fence)
        .returning('cancel_requested')
        .executeTakeFirst();
      if (row === undefined) throw new LeaseLostError(lease.job.jobId);
      return { isCancelRequested: row.cancel_requested === 1 };
    },

    request: (tenant, jobId, wish) =>
      db.transaction().execute(async (tx) => {
        const find = () =>
          tx.selectFrom('jobs').selectAll().where('tenant', '=', tenant).where('job_id', '=', jobId).executeTakeFirst();
        const found = await find();
        if (found === undefined) throw notFound('job', jobId);
        await lockCorpus(tx, tenant, found.corpus);
        // A worker updates its job without that lock, so the row is locked as well before its state is read.
        const row = await (isShared
          ? tx.selectFrom('jobs').selectAll().where('job_id', '=', jobId).forUpdate().executeTakeFirstOrThrow()
          : found);
        const now = clock();
        const change = changeOf(row, wish, now);
        if (change === undefined) return toRecord(row);
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

    async countHeld() {
      const held = db.selectFrom('jobs').where('state', '=', JobState.HELD);
      return (await held.select(db.fn.countAll<number>().as('count')).executeTakeFirstOrThrow()).count;
    },

    async countOpen(tenant) {
      let query = db.selectFrom('jobs').select(db.fn.countAll<number>().as('count')).where('state', 'in', open);
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      return (await query.executeTakeFirstOrThrow()).count;
    },

    async waitingSinceMs() {
      const queued = db.selectFrom('jobs').where('state', '=', JobState.QUEUED);
      const row = await queued.select((eb) => eb.fn.min('created_at').as('since')).executeTakeFirst();
      return row?.since ?? undefined;
    },
  };
}

function changeOf(row: JobRow, wish: JobWish, now: number) {
  switch (wish.kind) {
    case 'cancel':
      return cancelOf(row);
    case 'retry':
      return retryOf(row);
    case 'check':
      return checkOf(row);
    case 'decide':
      return decisionOf(row, wish, now);
    default:
      return wish satisfies never;
  }
}

const corpusLocks = 'indexer corpus';
const nameOf = (tenant: string, corpus: string) => JSON.stringify([tenant, corpus]);

async function take(
  tx: Transaction<JobsSchema>,
  { owner, leaseMs, isGone, busy, onlyUrgent = false }: Taker,
  jobId: string | undefined,
  now: number,
  isShared: boolean,
) {
  const owners = await tx.selectFrom('jobs').select('owner').distinct().where('state', '=', JobState.RUNNING).execute();
  const gone = owners.map((row) => row.owner).filter((name) => name === owner || isGone(name));
  const passed = [...busy];
  for (let count = 0; count < looksMax; count++) {
    const row = await nextRow(tx, { gone, passed, jobId, onlyUrgent }, now, isShared);
    if (row === undefined) return undefined;
    passed.push(row.job_id);
    if (isShared && !(await tryLockCorpus(tx, row))) continue;
    const wasLost = row.state === JobState.RUNNING;
    const isFailed = wasLost && row.lost_count >= lostMax;
    const change = isFailed
      ? failedOf(row, now)
      : {
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
    // The row was chosen before the corpus was locked, so the condition is checked again.
    const taken = await tx
      .updateTable('jobs as job')
      .set(change)
      .where('job.sequence', '=', row.sequence)
      .where((eb) => isTakeable(eb, gone, now))
      .returning('sequence')
      .executeTakeFirst();
    if (taken === undefined || isFailed) continue;
    return { job: toRecord({ ...row, ...change }), fence: row.fence + 1, owner, leaseMs };
  }
  return undefined;
}

/** What a worker asks for. `gone`: owners that have ended. `passed`: jobs that it does not want. */
interface Wanted {
  gone: readonly string[];
  passed: readonly string[];
  jobId: string | undefined;
  onlyUrgent: boolean;
}

/** Returns the next job that can be taken: the first of its corpus, of the tenant that was served longest ago; an urgent one before its others. */
async function nextRow(
  tx: Transaction<JobsSchema>,
  { gone, passed, jobId, onlyUrgent }: Wanted,
  now: number,
  isShared: boolean,
): Promise<JobRow | undefined> {
  let query = tx
    .selectFrom('jobs as job')
    .selectAll('job')
    .where((eb) => isTakeable(eb, gone, now))
    .where('job.job_id', 'not in', [...passed, ''])
    .orderBy((eb) =>
      eb
        .selectFrom('jobs as served')
        .select((served) => served.fn.max('served.taken_at').as('at'))
        .whereRef('served.tenant', '=', 'job.tenant'),
    )
    .orderBy('job.urgent', 'desc')
    .orderBy('job.sequence')
    .limit(1);
  if (jobId !== undefined) query = query.where('job.job_id', '=', jobId);
  if (onlyUrgent) query = query.where('job.urgent', '=', 1);
  if (isShared) query = query.forUpdate('job').skipLocked();
  return query.executeTakeFirst();
}

type Jobs = ExpressionBuilder<JobsSchema & { job: JobsSchema['jobs'] }, 'job'>;

/**
 * Returns the condition for a job that a worker can take: it waits, is due, and no job of its corpus runs, is held or is before it; or it runs, and
 * its worker has lost it.
 */
function isTakeable(eb: Jobs, gone: readonly string[], now: number): Expression<SqlBool> {
  const isLost = [eb('job.lease_until', '<=', now), ...(gone.length > 0 ? [eb('job.owner', 'in', [...gone])] : [])];
  const others = eb
    .selectFrom('jobs as other')
    .select('other.sequence')
    .whereRef('other.tenant', '=', 'job.tenant')
    .whereRef('other.corpus', '=', 'job.corpus')
    .where((other) =>
      other.or([
        other('other.state', 'in', [JobState.RUNNING, JobState.HELD]),
        other.and([
          other('other.state', '=', JobState.QUEUED),
          other('other.sequence', '<', other.ref('job.sequence')),
        ]),
      ]),
    );
  return eb.or([
    eb.and([eb('job.state', '=', JobState.QUEUED), eb('job.due_at', '<=', now), eb.not(eb.exists(others))]),
    eb.and([eb('job.state', '=', JobState.RUNNING), eb.or(isLost)]),
  ]);
}

function failedOf(row: JobRow, now: number) {
  const error = `failed after ${row.lost_count} lost workers: see their logs`;
  return { state: JobState.FAILED, error, owner: '', attempt_open: 0, updated_at: now };
}

/** Locks the corpus of a job if no other transaction has; it never waits, because it holds the lock of a row. */
async function tryLockCorpus(tx: Transaction<JobsSchema>, { tenant, corpus }: JobRow): Promise<boolean> {
  const key = lockKey(corpusLocks, nameOf(tenant, corpus));
  const { rows } = await sql<{ locked: boolean }>`SELECT pg_try_advisory_xact_lock(${key}) AS locked`.execute(tx);
  return rows[0]?.locked === true;
}
