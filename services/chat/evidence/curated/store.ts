import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { PutCuratedAnswerRequest } from '#gen/ragmesh/chat/v1/curated_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { failedPrecondition } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from '../../sessions/owner.ts';
import type { SessionSchema } from '../../sessions/schema.ts';

/** A version to write. */
export type CuratedVersion = Pick<PutCuratedAnswerRequest, 'corpus' | 'questions' | 'answer' | 'title' | 'url'>;

/** The answers that a tenant gives now. */
export interface CuratedSnapshot {
  /** Grows with every change. */
  revision: number;
  answers: readonly StoredCurated[];
}

/** A version as it is stored. */
export type StoredCurated = ReturnType<typeof toStored>;

/** Answers of a tenant, so that a snapshot stays small, and versions that are returned. */
const maxAnswers = 2000;
const maxVersions = 200;
/** Tries if another replica writes a version of the same answer. */
const maxTries = 3;

/** Creates the store of curated answers. Versions are only added, so a replica sees by their number whether anything changed. */
export function createCuratedStore(database: Database<SessionSchema>, clock: () => number) {
  const rowsOf = (tenant: string) => database.selectFrom('curated_answer').where('tenant', '=', tenant);

  const live = async (tenant: string) => {
    const rows = await rowsOf(tenant).selectAll().orderBy('id').orderBy('version', 'desc').execute();
    const latest = rows.filter((row, index) => rows[index - 1]?.id !== row.id);
    return { revision: rows.length, answers: latest.filter(({ deleted }) => deleted === 0).map(toStored) };
  };

  const append = async (
    { tenant, user }: Owner,
    id: string,
    given: CuratedVersion,
    deleted: 0 | 1,
  ): Promise<StoredCurated> => {
    for (let tried = 1; ; tried++) {
      const last = await rowsOf(tenant)
        .where('id', '=', id)
        .select(({ fn }) => fn.max('version').as('version'))
        .executeTakeFirst();
      const row = {
        ...{ tenant, id, version: Number(last?.version ?? 0) + 1, corpus: given.corpus },
        questions: JSON.stringify(given.questions),
        ...{ answer: given.answer, title: given.title, url: given.url, deleted, changed_by: user, changed_at: clock() },
      };
      const added = await database
        .insertInto('curated_answer')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .returning('version')
        .execute();
      if (added.length > 0) return toStored(row);
      if (tried >= maxTries) {
        throw failedPrecondition(ErrorReason.VERSION_STATE, 'the answer is being changed by others: try again');
      }
    }
  };

  return {
    /** Stores a version; resolves to it. */
    async putCurated(owner: Owner, id: string, given: CuratedVersion): Promise<StoredCurated> {
      const { answers } = await live(owner.tenant);
      if (answers.length >= maxAnswers && !answers.some((each) => each.id === id)) {
        const message = `a tenant has at most ${maxAnswers} curated answers: delete one first`;
        throw failedPrecondition(ErrorReason.VERSION_STATE, message);
      }
      return append(owner, id, { ...given, title: given.title || (given.questions[0] ?? '') }, 0);
    },
    /** Withdraws an answer; resolves to whether it was given. */
    async removeCurated(owner: Owner, id: string): Promise<boolean> {
      const given = (await live(owner.tenant)).answers.find((each) => each.id === id);
      if (given === undefined) return false;
      await append(owner, id, given, 1);
      return true;
    },
    /** Returns the answers that are given now; `undefined` if nothing has changed since `revision`. */
    async curatedSince(tenant: string, revision: number): Promise<CuratedSnapshot | undefined> {
      const count = await rowsOf(tenant)
        .select(({ fn }) => fn.countAll().as('count'))
        .executeTakeFirstOrThrow();
      return Number(count.count) === revision ? undefined : live(tenant);
    },
    /** Returns the versions of an answer, the latest first. */
    async curatedVersions(tenant: string, id: string): Promise<StoredCurated[]> {
      const rows = await rowsOf(tenant)
        .where('id', '=', id)
        .selectAll()
        .orderBy('version', 'desc')
        .limit(maxVersions)
        .execute();
      return rows.map(toStored);
    },
  };
}

function toStored(row: SessionSchema['curated_answer']) {
  const { id, corpus, answer, title, url } = row;
  return {
    ...{ id, corpus, answer, title, url },
    version: BigInt(row.version),
    questions: JSON.parse(row.questions) as string[],
    deleted: row.deleted !== 0,
    changedBy: row.changed_by,
    changedAt: timestampFromMs(row.changed_at),
  };
}
