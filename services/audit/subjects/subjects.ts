import { createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Database } from '#kit/storage/database.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import { createListQuery } from '#kit/storage/list-query.ts';
import { keyOf } from '../records/rows.ts';
import type { AuditSchema, SubjectRow } from '../records/schema.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { newKey, newSubjectName } from './secrets.ts';

/** A user, as entries name one. */
export interface Subject {
  tenant: string;
  user: string;
  /** Random; says nothing of the user once its row is gone. */
  subject: string;
  /** 32 bytes; `undefined` if the key that wraps it is not configured. */
  key: KeyObject | undefined;
}

/** A user of a tenant. */
export interface UserKey {
  tenant: string;
  user: string;
}

/**
 * The keys of users. A row of the database is the only durable copy of a key: who removes it makes unreadable what was encrypted under it, in all
 * replicas, because every read and write asks the database for the row first.
 */
export interface Subjects {
  /** Returns the subjects of users, by {@link keyOf} tenant and user; creates those that are missing. Not inside of a transaction. */
  ensure(users: readonly UserKey[]): Promise<Map<string, Subject>>;
  /** Returns the subjects that exist, by name. */
  find(tenant: string, subjects: readonly string[]): Promise<Map<string, Subject>>;
  /** Returns the name of a user, if there is one. */
  nameOf(db: Database<AuditSchema>, user: UserKey): Promise<string | undefined>;
  /** Encrypts all keys that an older key has wrapped under the one that wraps now. */
  rewrap(signal: AbortSignal): Promise<number>;
}

/** Subjects whose keys are in memory. */
const maxKnown = 50_000;
/** Time that the key of an erased user can stay in the memory of another replica. */
const knownMs = 300_000;
/** Rows that are wrapped again in a step. */
const pageSize = 200;

const contextOf = ({ tenant, subject }: Pick<SubjectRow, 'tenant' | 'subject'>) => `key\0${tenant}\0${subject}`;

/** Creates the keys of users. */
export function createSubjects(db: Database<AuditSchema>, wrapper: KeyWrapper, clock: () => number): Subjects {
  // By name. A key is used only for a row that the database has.
  const keys = new LRUCache<string, KeyObject>({ max: maxKnown, ttl: knownMs });
  const toSubject = async ({ tenant, user, subject, key_id, wrapped_key }: SubjectRow): Promise<Subject> => {
    let key = keys.get(subject);
    if (key === undefined) {
      const bytes = await wrapper.unwrap(key_id, wrapped_key, contextOf({ tenant, subject }));
      key = bytes && createSecretKey(bytes);
      if (key !== undefined) keys.set(subject, key);
    }
    return { tenant, user, subject, key };
  };
  const toMap = async <K>(rows: readonly SubjectRow[], keyOfRow: (subject: Subject) => K) => {
    const subjects = await Promise.all(rows.map(toSubject));
    return new Map(subjects.map((subject) => [keyOfRow(subject), subject]));
  };
  return {
    async ensure(users) {
      if (users.length === 0) return new Map();
      const wanted = new Map(users.map(({ tenant, user }) => [keyOf(tenant, user), { tenant, user }]));
      const read = async () => {
        const names = [...new Set(users.map(({ user }) => user))];
        const rows = await selectByUser(db, names);
        return rows.filter(({ tenant, user }) => wanted.has(keyOf(tenant, user)));
      };
      let rows = await read();
      const known = new Set(rows.map(({ tenant, user }) => keyOf(tenant, user)));
      const missing = [...wanted].filter(([name]) => !known.has(name)).map(([, user]) => user);
      if (missing.length > 0) {
        const created = missing.map(async ({ tenant, user }): Promise<SubjectRow> => {
          const subject = newSubjectName();
          const wrapped = await wrapper.wrap(newKey(), contextOf({ tenant, subject }));
          const about = { tenant, user, subject, key_id: wrapper.keyId };
          return { ...about, wrapped_key: wrapped, created_at: clock() };
        });
        await insertSubjects(db, await Promise.all(created));
        // Of two replicas that create one, the first wins.
        rows = await read();
      }
      return toMap(rows, ({ tenant, user }) => keyOf(tenant, user));
    },
    async find(tenant, subjects) {
      if (subjects.length === 0) return new Map();
      const rows = await selectByName(db, [...new Set(subjects)]);
      return toMap(
        rows.filter((row) => row.tenant === tenant),
        ({ subject }) => subject,
      );
    },
    async nameOf(from, { tenant, user }) {
      const row = await from
        .selectFrom('subjects')
        .select('subject')
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .executeTakeFirst();
      return row?.subject;
    },
    async rewrap(signal) {
      let count = 0;
      let after = '';
      for (;;) {
        signal.throwIfAborted();
        const rows = await db
          .selectFrom('subjects')
          .selectAll()
          .where('key_id', '!=', wrapper.keyId)
          .where('subject', '>', after)
          .orderBy('subject')
          .limit(pageSize)
          .execute();
        for (const row of rows) {
          const key = await wrapper.unwrap(row.key_id, row.wrapped_key, contextOf(row));
          if (key === undefined) continue;
          const wrapped = await wrapper.wrap(key, contextOf(row));
          await db
            .updateTable('subjects')
            .set({ key_id: wrapper.keyId, wrapped_key: wrapped })
            .where('subject', '=', row.subject)
            .execute();
          count++;
        }
        after = rows.at(-1)?.subject ?? '';
        if (rows.length < pageSize) return count;
      }
    },
  };
}

/** Returns whether all of these subjects still exist; in the transaction that uses them. */
export async function existAll(trx: Database<AuditSchema>, subjects: readonly string[]): Promise<boolean> {
  const names = [...new Set(subjects)];
  return names.length === 0 || (await selectByName(trx, names)).length === names.length;
}

const selectByUser = createListQuery((db: Database<AuditSchema>, users: readonly string[]) =>
  db.selectFrom('subjects').selectAll().where('user', 'in', users),
);

const selectByName = createListQuery((db: Database<AuditSchema>, subjects: readonly string[]) =>
  db.selectFrom('subjects').selectAll().where('subject', 'in', subjects),
);

const insertSubjects = createInsert((db: Database<AuditSchema>, row: SubjectRow) =>
  db
    .insertInto('subjects')
    .values(row)
    .onConflict((conflict) => conflict.columns(['tenant', 'user']).doNothing()),
);
