import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { sql } from 'kysely';
import { type Principal, PrincipalSchema } from '#gen/ragmesh/common/v1/common_pb.ts';
import {
  type EvaluationRun,
  EvaluationRunSchema,
  type RunEvaluationRequest,
  RunEvaluationRequestSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import { EvaluationJobState } from '#gen/ragmesh/evaluation/v1/jobs_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { type Answer, fromBytes, toBytes } from '../runs/checkpoint.ts';
import { withoutQuestions } from '../runs/run.ts';
import type { EvaluationTables } from '../store.ts';

/** An attempt at a job, which one process makes. */
export interface Attempt {
  jobId: string;
  /** From 1; what the process writes counts only while no later attempt has begun. */
  attempt: number;
  principal: Principal;
  request: RunEvaluationRequest;
}

/** How a job ends. */
export type Ending =
  | { kind: 'succeeded'; run: EvaluationRun }
  | { kind: 'failed'; reason: string; message: string }
  | { kind: 'cancelled' };

const stateOf: Record<Ending['kind'], EvaluationJobState> = {
  succeeded: EvaluationJobState.SUCCEEDED,
  failed: EvaluationJobState.FAILED,
  cancelled: EvaluationJobState.CANCELLED,
};

/** Creates the store of attempts at jobs: rights that one process has at a time, answers, endings. */
export function createAttemptStore(database: Database<EvaluationTables>) {
  const ofAttempt = ({ jobId, attempt }: Pick<Attempt, 'jobId' | 'attempt'>, db: typeof database = database) =>
    db.updateTable('job').where('job_id', '=', jobId).where('attempt', '=', attempt).where('ended_at', '=', 0);
  return {
    /** Takes the right to make the next attempt at the oldest job that no process runs, of other tenants than those named. */
    async take(tenants: readonly string[], nowMs: number, untilMs: number): Promise<Attempt | undefined> {
      let query = database
        .selectFrom('job')
        .select(['job_id', 'attempt', 'request', 'principal'])
        .where('ended_at', '=', 0)
        .where('lease_until', '<=', nowMs);
      if (tenants.length > 0) query = query.where('tenant', 'not in', tenants);
      const found = await query.orderBy('sequence').limit(1).executeTakeFirst();
      if (found === undefined || found.principal === null) return undefined;
      const attempt = found.attempt + 1;
      const taken = await ofAttempt({ jobId: found.job_id, attempt: found.attempt })
        .set({ attempt, lease_until: untilMs, state: EvaluationJobState.RUNNING })
        .where('lease_until', '<=', nowMs)
        .returning('job_id')
        .execute();
      if (taken.length === 0) return undefined;
      return {
        ...{ jobId: found.job_id, attempt },
        principal: fromBinary(PrincipalSchema, found.principal),
        request: fromBinary(RunEvaluationRequestSchema, found.request),
      };
    },
    /** Extends the right of an attempt; returns whether it still counts, and whether the job is to be cancelled. */
    async renew(attempt: Attempt, untilMs: number): Promise<'held' | 'cancelled' | 'lost'> {
      const [row] = await ofAttempt(attempt).set({ lease_until: untilMs }).returning('is_cancelled').execute();
      return row === undefined ? 'lost' : row.is_cancelled === 1 ? 'cancelled' : 'held';
    },
    /** Gives the right of an attempt back. The job waits until `untilMs`. */
    async release(attempt: Attempt, untilMs: number): Promise<void> {
      await ofAttempt(attempt).set({ lease_until: untilMs, state: EvaluationJobState.QUEUED }).execute();
    },
    /** Returns the answers of earlier attempts at this version of the data set; those at another one are removed. */
    async readAnswers(attempt: Attempt, dataSetVersion: string, totalCount: number): Promise<Answer[]> {
      const { jobId } = attempt;
      const known = await database
        .selectFrom('job')
        .select('data_set_version')
        .where('job_id', '=', jobId)
        .executeTakeFirst();
      const isSame = known?.data_set_version === dataSetVersion;
      if (!isSame) await database.deleteFrom('job_answers').where('job_id', '=', jobId).execute();
      const rows = await database.selectFrom('job_answers').select('answers').where('job_id', '=', jobId).execute();
      const answers = rows.flatMap((row) => fromBytes(row.answers));
      await ofAttempt(attempt)
        .set({ data_set_version: dataSetVersion, total_count: totalCount, done_count: answers.length })
        .execute();
      return answers;
    },
    /** Stores answers of an attempt, unless another one has begun. */
    async addAnswers(attempt: Attempt, answers: readonly Answer[]): Promise<void> {
      await database.transaction().execute(async (transaction) => {
        const counted = await ofAttempt(attempt, transaction)
          .set((eb) => ({ done_count: eb('done_count', '+', answers.length) }))
          .returning('job_id')
          .execute();
        if (counted.length === 0) return;
        await transaction
          .insertInto('job_answers')
          .values({ job_id: attempt.jobId, answers: toBytes(answers) })
          .execute();
      });
    },
    /** Ends a job by an attempt that still counts, and stores its run beside those of calls. Its answers and its principal are removed. */
    async end(attempt: Attempt, ending: Ending, nowMs: number): Promise<void> {
      const run = ending.kind === 'succeeded' ? ending.run : undefined;
      const lean = run && toBinary(EvaluationRunSchema, withoutQuestions(run));
      await database.transaction().execute(async (transaction) => {
        const ended = await ofAttempt(attempt, transaction)
          .set({
            ...{ state: stateOf[ending.kind], ended_at: nowMs, principal: null },
            ...(run && {
              done_count: sql<number>`total_count`,
              run: lean ?? null,
              details: toBinary(EvaluationRunSchema, run),
            }),
            ...(ending.kind === 'failed' && {
              failure_reason: ending.reason,
              failure_message: ending.message,
            }),
          })
          .returning('tenant')
          .executeTakeFirst();
        if (ended === undefined) return;
        await transaction.deleteFrom('job_answers').where('job_id', '=', attempt.jobId).execute();
        if (run && lean) {
          await transaction
            .insertInto('run')
            .values({ tenant: ended.tenant, data_set: run.dataSet, message: lean })
            .execute();
        }
      });
    },
  };
}

/** The store of attempts. */
export type AttemptStore = ReturnType<typeof createAttemptStore>;
