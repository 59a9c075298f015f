import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Generated } from 'kysely';
import {
  type EvaluationRun,
  EvaluationRunSchema,
  type JudgedQuery,
  JudgedQuerySchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { Database } from '#kit/storage/database.ts';

/** Tables of `evaluation.db`. Messages are stored as their bytes, since no query reads inside them. */
export interface EvaluationTables {
  judged_query: { tenant: string; data_set: string; query_id: string; message: Uint8Array };
  run: { sequence: Generated<number>; tenant: string; data_set: string; message: Uint8Array };
}

/** Schema changes, oldest first. */
export const migrations: readonly string[] = [
  `CREATE TABLE judged_query (
    tenant TEXT NOT NULL, data_set TEXT NOT NULL, query_id TEXT NOT NULL, message BLOB NOT NULL,
    PRIMARY KEY (tenant, data_set, query_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE run (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, data_set TEXT NOT NULL, message BLOB NOT NULL
  ) STRICT;
  CREATE INDEX run_by_tenant ON run (tenant, sequence);
  CREATE INDEX run_by_data_set ON run (tenant, data_set, sequence)`,
];

/** Rows of one insert: SQLite bounds the parameters of a statement. */
const rowsAtOnce = 1000;

/** Which runs to list. */
export interface RunFilter {
  /** Empty: every data set. */
  dataSet: string;
  /** Only runs before this sequence. */
  before: number | undefined;
  limit: number;
}

/** Creates the store of data sets and runs of every tenant. */
export function createEvaluationStore(database: Database<EvaluationTables>) {
  return {
    /** Replaces a data set atomically. */
    async replaceDataSet(tenant: string, dataSet: string, queries: readonly JudgedQuery[]): Promise<void> {
      await database.transaction().execute(async (transaction) => {
        await transaction
          .deleteFrom('judged_query')
          .where('tenant', '=', tenant)
          .where('data_set', '=', dataSet)
          .execute();
        for (let start = 0; start < queries.length; start += rowsAtOnce) {
          const rows = queries.slice(start, start + rowsAtOnce).map((query) => ({
            tenant,
            data_set: dataSet,
            query_id: query.queryId,
            message: toBinary(JudgedQuerySchema, query),
          }));
          await transaction.insertInto('judged_query').values(rows).execute();
        }
      });
    },
    /** Returns the questions of a data set in order of id; none if there is no such set. */
    async readDataSet(tenant: string, dataSet: string): Promise<JudgedQuery[]> {
      const rows = await database
        .selectFrom('judged_query')
        .select('message')
        .where('tenant', '=', tenant)
        .where('data_set', '=', dataSet)
        .orderBy('query_id')
        .execute();
      return rows.map(({ message }) => fromBinary(JudgedQuerySchema, message));
    },
    /** Stores a run; resolves when it is durable. */
    async addRun(tenant: string, run: EvaluationRun): Promise<void> {
      const message = toBinary(EvaluationRunSchema, run);
      await database.insertInto('run').values({ tenant, data_set: run.dataSet, message }).execute();
    },
    /** Returns runs with their sequence, the latest first. */
    async listRuns(
      tenant: string,
      { dataSet, before, limit }: RunFilter,
    ): Promise<{ sequence: number; run: EvaluationRun }[]> {
      let query = database.selectFrom('run').select(['sequence', 'message']).where('tenant', '=', tenant);
      if (dataSet !== '') query = query.where('data_set', '=', dataSet);
      if (before !== undefined) query = query.where('sequence', '<', before);
      const rows = await query.orderBy('sequence', 'desc').limit(limit).execute();
      return rows.map(({ sequence, message }) => ({ sequence, run: fromBinary(EvaluationRunSchema, message) }));
    },
  };
}

/** The store. */
export type EvaluationStore = ReturnType<typeof createEvaluationStore>;
