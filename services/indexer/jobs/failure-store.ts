import type { Database } from '#kit/storage/database.ts';
import { inParts } from '../documents/document-store.ts';
import type { PreparedFailure } from '../prepare/prepared.ts';
import type { FailureTable, RecordsSchema } from '../uploads/records.ts';

/** Position after which a list of failures continues. */
export interface FailureCursor {
  fileIndex: number;
  path: string;
  line: number;
}

/** Failures of jobs, in the order of their upload. */
export interface FailureStore {
  /** Stores failures. A second failure of the same file and line is ignored. */
  add(jobId: string, failures: readonly PreparedFailure[]): Promise<void>;
  list(jobId: string, after: FailureCursor | undefined, limit: number): Promise<FailureTable[]>;
}

/** Failures stored for a job; further ones are only counted. */
const failuresMax = 10_000;

/** Creates a store in the records database. */
export function createFailureStore(db: Database<RecordsSchema>): FailureStore {
  return {
    async add(jobId, failures) {
      if (failures.length === 0) return;
      const { count } = await db
        .selectFrom('failures')
        .select(db.fn.countAll<number>().as('count'))
        .where('job_id', '=', jobId)
        .executeTakeFirstOrThrow();
      const rows = failures.slice(0, Math.max(0, failuresMax - count)).map((failure) => ({
        job_id: jobId,
        file_index: failure.fileIndex,
        line: failure.line,
        path: failure.path,
        reason: failure.reason,
        message: failure.message,
      }));
      for (const part of inParts(rows)) {
        await db
          .insertInto('failures')
          .values(part)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
    },

    async list(jobId, after, limit) {
      let query = db
        .selectFrom('failures')
        .selectAll()
        .where('job_id', '=', jobId)
        .orderBy('file_index')
        .orderBy('path')
        .orderBy('line')
        .limit(limit);
      if (after !== undefined) {
        const { fileIndex, path, line } = after;
        query = query.where((eb) =>
          eb(eb.refTuple('file_index', 'path', 'line'), '>', eb.tuple(fileIndex, path, line)),
        );
      }
      return query.execute();
    },
  };
}
