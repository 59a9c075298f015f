import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  EvaluationProgressSchema,
  EvaluationRunSchema,
  type RunEvaluationRequest,
  RunEvaluationRequestSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { type EvaluationJob, EvaluationJobSchema, EvaluationJobState } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import type { EvaluationTables } from '../store.ts';
import type { JobRow } from './job-row.ts';

/** Jobs of a tenant that wait or run, and those that have ended and are kept. */
const [maxOpen, maxKept] = [10, 100];

/** Creates the store of jobs of every tenant. */
export function createJobStore(database: Database<EvaluationTables>) {
  return {
    /** Stores a job that waits; returns whether the tenant may have one more. The oldest that have ended are removed. */
    add(jobId: string, principal: Principal, request: RunEvaluationRequest, nowMs: number): Promise<boolean> {
      const { tenant } = principal;
      return database.transaction().execute(async (transaction) => {
        if (engineOf(database) === 'postgres') await lockNames(transaction, 'evaluation jobs', [tenant]);
        const ofTenant = transaction.selectFrom('job').where('tenant', '=', tenant);
        const open = await ofTenant.select('job_id').where('ended_at', '=', 0).limit(maxOpen).execute();
        if (open.length >= maxOpen) return false;
        await transaction
          .insertInto('job')
          .values({
            ...{ tenant, job_id: jobId, state: EvaluationJobState.QUEUED, created_at: nowMs, ended_at: 0 },
            request: toBinary(RunEvaluationRequestSchema, request),
            principal: toBinary(PrincipalSchema, principal),
            ...{ lease_until: 0, attempt: 0, is_cancelled: 0, done_count: 0, total_count: 0, data_set_version: '' },
            ...{ run: null, details: null, failure_reason: '', failure_message: '' },
          })
          .execute();
        const last = await ofTenant
          .select('sequence')
          .where('ended_at', '>', 0)
          .orderBy('sequence', 'desc')
          .offset(maxKept - 1)
          .limit(1)
          .executeTakeFirst();
        if (last !== undefined) {
          await transaction
            .deleteFrom('job')
            .where('tenant', '=', tenant)
            .where('ended_at', '>', 0)
            .where('sequence', '<', last.sequence)
            .execute();
        }
        return true;
      });
    },
    /** Cancels a job that waits, or marks one that runs. A job that has ended stays as it is. */
    async cancel(tenant: string, jobId: string, nowMs: number): Promise<void> {
      await database.transaction().execute(async (transaction) => {
        const open = transaction
          .updateTable('job')
          .where('tenant', '=', tenant)
          .where('job_id', '=', jobId)
          .where('ended_at', '=', 0);
        await open.set({ is_cancelled: 1 }).execute();
        const ended = await open
          .set({ state: EvaluationJobState.CANCELLED, ended_at: nowMs, principal: null })
          .where((eb) => eb.or([eb('state', '=', EvaluationJobState.QUEUED), eb('lease_until', '<=', nowMs)]))
          .returning('job_id')
          .execute();
        if (ended.length > 0) await transaction.deleteFrom('job_answers').where('job_id', '=', jobId).execute();
      });
    },
    /** Returns a job with the scores of its questions. */
    async find(tenant: string, jobId: string): Promise<EvaluationJob | undefined> {
      const row = await database
        .selectFrom('job')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('job_id', '=', jobId)
        .executeTakeFirst();
      return row && toJob(row, row.details);
    },
    /** Returns jobs with their sequence, the latest first, without the scores of questions. */
    async list(tenant: string, before: number | undefined, limit: number) {
      let query = database.selectFrom('job').select(listed).where('tenant', '=', tenant);
      if (before !== undefined) query = query.where('sequence', '<', before);
      const rows = await query.orderBy('sequence', 'desc').limit(limit).execute();
      return rows.map((row) => ({ sequence: row.sequence, job: toJob(row, row.run) }));
    },
  };
}

/** The store of jobs. */
export type JobStore = ReturnType<typeof createJobStore>;

const listed = [
  ...(['sequence', 'job_id', 'request', 'state', 'created_at', 'ended_at', 'attempt', 'done_count'] as const),
  ...(['total_count', 'run', 'failure_reason', 'failure_message'] as const),
] as const;

type ListedRow = Pick<JobRow, Exclude<(typeof listed)[number], 'sequence'>>;

function toJob(row: ListedRow, run: Uint8Array | null): EvaluationJob {
  return create(EvaluationJobSchema, {
    jobId: row.job_id,
    request: fromBinary(RunEvaluationRequestSchema, row.request),
    state: row.state as EvaluationJobState,
    progress: create(EvaluationProgressSchema, { doneCount: row.done_count, totalCount: row.total_count }),
    createdAt: timestampFromMs(row.created_at),
    ...(row.ended_at > 0 && { endedAt: timestampFromMs(row.ended_at) }),
    ...(run !== null && { run: fromBinary(EvaluationRunSchema, run) }),
    ...(row.failure_reason !== '' && { failure: { reason: row.failure_reason, message: row.failure_message } }),
    attemptCount: row.attempt,
  });
}
