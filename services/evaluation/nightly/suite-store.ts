import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type EvaluationRun,
  EvaluationRunSchema,
  type SuiteReport,
  SuiteReportSchema,
} from '#gen/ragmesh/evaluation/v1/evaluation_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { EvaluationTables } from '../store.ts';
import type { SuiteRow } from './suite-row.ts';

/** A suite as it is stored. */
export interface StoredSuite {
  tenant: string;
  dataSet: string;
  doneUntilMs: number;
  baseline: EvaluationRun | undefined;
  latest: EvaluationRun | undefined;
  report: SuiteReport | undefined;
  isWorse: boolean;
}

/** Creates the store of suites. */
export function createSuiteStore(database: Database<EvaluationTables>) {
  const ofSuite = (tenant: string, dataSet: string) =>
    database.updateTable('suite').where('tenant', '=', tenant).where('data_set', '=', dataSet);
  return {
    /** Adds a suite that is not there. It runs at the first time of the schedule after `nowMs`. */
    async add(tenant: string, dataSet: string, nowMs: number): Promise<void> {
      await database
        .insertInto('suite')
        .values({
          ...{ tenant, data_set: dataSet, done_until: nowMs, lease_until: 0, is_worse: 0 },
          ...{ baseline: null, latest: null, report: null },
        })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },
    /** Takes the right to run a suite for the time after `doneUntilMs`; of several processes one gets it. */
    async lease(suite: { tenant: string; dataSet: string; doneUntilMs: number }, nowMs: number, untilMs: number) {
      const taken = await ofSuite(suite.tenant, suite.dataSet)
        .set({ lease_until: untilMs })
        .where('done_until', '=', suite.doneUntilMs)
        .where('lease_until', '<=', nowMs)
        .returning('tenant')
        .execute();
      return taken.length > 0;
    },
    /** Extends a right. */
    async renew(tenant: string, dataSet: string, untilMs: number): Promise<void> {
      await ofSuite(tenant, dataSet).set({ lease_until: untilMs }).execute();
    },
    /** Stores a run and releases the right. A run that is not worse is the new baseline. */
    async finish(
      { tenant, dataSet }: { tenant: string; dataSet: string },
      doneUntilMs: number,
      run: EvaluationRun,
      report: SuiteReport,
    ): Promise<void> {
      const latest = toBinary(EvaluationRunSchema, run);
      await ofSuite(tenant, dataSet)
        .set({
          ...{ done_until: doneUntilMs, lease_until: 0, latest, report: toBinary(SuiteReportSchema, report) },
          is_worse: report.isWorse ? 1 : 0,
          ...(report.isWorse ? {} : { baseline: latest }),
        })
        .execute();
    },
    /** Leaves out a time of the schedule, and releases the right: its run failed. */
    async skip(tenant: string, dataSet: string, doneUntilMs: number): Promise<void> {
      await ofSuite(tenant, dataSet).set({ done_until: doneUntilMs, lease_until: 0 }).execute();
    },
    /** Makes the latest run the baseline; returns whether there is one. */
    async accept(tenant: string, dataSet: string): Promise<boolean> {
      const accepted = await ofSuite(tenant, dataSet)
        .set((eb) => ({ baseline: eb.ref('latest'), is_worse: 0 }))
        .where('latest', 'is not', null)
        .returning('tenant')
        .execute();
      return accepted.length > 0;
    },
    /** Returns the suites of a tenant, or of all. */
    async list(tenant?: string): Promise<StoredSuite[]> {
      let query = database.selectFrom('suite').selectAll().orderBy('tenant').orderBy('data_set');
      if (tenant !== undefined) query = query.where('tenant', '=', tenant);
      return (await query.execute()).map(toSuite);
    },
    /** Returns the state of all suites, without their runs. */
    async states(): Promise<{ tenant: string; dataSet: string; doneUntilMs: number; isWorse: boolean }[]> {
      const rows = await database
        .selectFrom('suite')
        .select(['tenant', 'data_set', 'done_until', 'is_worse'])
        .execute();
      return rows.map(({ tenant, data_set: dataSet, done_until: doneUntilMs, is_worse }) => ({
        ...{ tenant, dataSet, doneUntilMs },
        isWorse: is_worse === 1,
      }));
    },
  };
}

/** The store of suites. */
export type SuiteStore = ReturnType<typeof createSuiteStore>;

function toSuite(row: SuiteRow): StoredSuite {
  const run = (bytes: Uint8Array | null) => (bytes === null ? undefined : fromBinary(EvaluationRunSchema, bytes));
  return {
    ...{ tenant: row.tenant, dataSet: row.data_set, doneUntilMs: row.done_until, isWorse: row.is_worse === 1 },
    ...{ baseline: run(row.baseline), latest: run(row.latest) },
    report: row.report === null ? undefined : fromBinary(SuiteReportSchema, row.report),
  };
}
