import { fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import { type Rating, TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { invalidArgument } from '#kit/base/errors.ts';
import type { Logger } from '#kit/base/log.ts';
import type { Database } from '#kit/storage/database.ts';
import type { PastTurn } from '../prompt/prompt.ts';
import type { SessionSchema } from './schema.ts';
import { createTurnWriter, type TurnWrite } from './writer.ts';

/** Whose something is. */
export type Owner = Pick<Principal, 'tenant' | 'user'>;

/** The sessions of everybody; each method answers for one owner alone. */
export type Sessions = ReturnType<typeof createSessions>;

/** Turns that a session shows, and bytes of them: the message that carries them is bounded. */
const maxTurns = 500;
const maxTurnBytes = 3_000_000;
/** Sessions, and answers without one, that a purge removes at once, and how long it rests when none is left. */
const purgeBatch = 500;
const purgeRestMs = 3_600_000;

/** Creates the store. Sessions end to be found `sessionMs` after their last question, and are purged some time later. */
export function createSessions(options: {
  database: Database<SessionSchema>;
  clock: () => number;
  sessionMs: number;
  log: Logger;
}) {
  const { database, clock, sessionMs, log } = options;
  const writer = createTurnWriter(database);
  let nextPurgeMs = 0;
  let purging: Promise<void> | undefined;
  const oldest = () => clock() - sessionMs;
  const owned = ({ tenant, user }: Owner) =>
    database
      .selectFrom('session')
      .where('session.tenant', '=', tenant)
      .where('session.user', '=', user)
      .where('session.updated_at', '>', oldest());

  async function purge(): Promise<void> {
    const before = oldest();
    const sessions = database.selectFrom('session').select('id').where('updated_at', '<=', before).limit(purgeBatch);
    const gone = await database.deleteFrom('session').where('id', 'in', sessions).returning('id').execute();
    const answers = database.selectFrom('answer').select('seq').where('session_id', 'is', null);
    const old = answers.where('asked_at', '<=', before).limit(purgeBatch);
    const forgotten = await database.deleteFrom('answer').where('seq', 'in', old).returning('seq').execute();
    const isMore = gone.length === purgeBatch || forgotten.length === purgeBatch;
    nextPurgeMs = isMore ? clock() : clock() + purgeRestMs;
    if (gone.length > 0) log.info({ session_count: gone.length }, 'old sessions purged');
  }

  return {
    /** The latest `limit` turns of a session, oldest first; `undefined` where the owner has no such session. */
    async load(owner: Owner, sessionId: string, limit: number): Promise<PastTurn[] | undefined> {
      const rows = await owned(owner)
        .where('session.id', '=', sessionId)
        .leftJoin('answer', 'answer.session_id', 'session.id')
        .select(['answer.question', 'answer.answer'])
        .orderBy('answer.seq', 'desc')
        .limit(Math.max(1, limit))
        .execute();
      if (rows.length === 0) return undefined;
      const turns = rows.flatMap(({ question, answer }) =>
        question === null || answer === null ? [] : [{ question, answer }],
      );
      return turns.reverse();
    },

    /** Writes a turn, or only that its session exists; resolves when it is durable. */
    async record(write: TurnWrite): Promise<void> {
      await writer.append(write);
      if (clock() < nextPurgeMs) return;
      nextPurgeMs = clock() + purgeRestMs;
      purging = purge().catch((error: unknown) => log.error({ err: error }, 'the purge of old sessions failed'));
    },

    /** A page of sessions, the latest first. Throws INVALID_ARGUMENT for a token that is not from here. */
    async list(owner: Owner, pageSize: number, pageToken: string) {
      const after = parseToken(pageToken);
      const rows = await owned(owner)
        .selectAll('session')
        .$if(after !== undefined, (query) =>
          query.where(sql<boolean>`(updated_at, id) < (${after?.updatedAtMs ?? 0}, ${after?.id ?? ''})`),
        )
        .orderBy('session.updated_at', 'desc')
        .orderBy('session.id', 'desc')
        .limit(pageSize + 1)
        .execute();
      const page = rows.slice(0, pageSize);
      const last = page.at(-1);
      return {
        sessions: page.map(toSession),
        nextPageToken: rows.length > pageSize && last !== undefined ? toToken(last.updated_at, last.id) : '',
      };
    },

    /** A session with its latest turns, oldest first; `undefined` where the owner has no such session. */
    async get(owner: Owner, sessionId: string) {
      const session = await owned(owner).selectAll('session').where('session.id', '=', sessionId).executeTakeFirst();
      if (session === undefined) return undefined;
      const rows = await database
        .selectFrom('answer')
        .selectAll()
        .where('session_id', '=', sessionId)
        .orderBy('seq', 'desc')
        .limit(maxTurns)
        .execute();
      let bytes = 0;
      const shown = rows.filter((row) => {
        bytes += 2 * (row.question.length + row.answer.length) + row.citations.length;
        return bytes <= maxTurnBytes;
      });
      return { session: toSession(session), turns: shown.reverse().map(toTurn) };
    },

    /** Deletes a session with its turns and their feedback; resolves to whether the owner had it. */
    async remove({ tenant, user }: Owner, sessionId: string): Promise<boolean> {
      const removal = database.deleteFrom('session').where('id', '=', sessionId);
      const rows = await removal.where('tenant', '=', tenant).where('user', '=', user).returning('id').execute();
      return rows.length > 0;
    },

    /** Keeps what an answer was worth, in place of what was said before; resolves to whether the owner got that answer. */
    async rate({ tenant, user }: Owner, answerId: string, rating: Rating, comment: string): Promise<boolean> {
      const rows = await database
        .insertInto('feedback')
        .columns(['answer_id', 'rating', 'comment', 'submitted_at'])
        .expression((select) =>
          select
            .selectFrom('answer')
            .select([
              'answer_id',
              sql<number>`${rating}`.as('rating'),
              sql<string>`${comment}`.as('comment'),
              sql<number>`${clock()}`.as('submitted_at'),
            ])
            .where('answer_id', '=', answerId)
            .where('tenant', '=', tenant)
            .where('user', '=', user),
        )
        .onConflict((conflict) =>
          conflict.column('answer_id').doUpdateSet(({ ref }) => ({
            rating: ref('excluded.rating'),
            comment: ref('excluded.comment'),
            submitted_at: ref('excluded.submitted_at'),
          })),
        )
        .returning('answer_id')
        .execute();
      return rows.length > 0;
    },

    /** Waits for what is being written. */
    async close(): Promise<void> {
      await writer.idle();
      await purging;
    },
  };
}

function toSession(row: SessionSchema['session']) {
  return {
    sessionId: row.id,
    title: row.title,
    createdAt: timestampFromMs(row.created_at),
    updatedAt: timestampFromMs(row.updated_at),
    turnCount: row.turn_count,
  };
}

function toTurn(row: { question: string; answer: string; answer_id: string; asked_at: number; citations: Uint8Array }) {
  return {
    question: row.question,
    answer: row.answer,
    answerId: row.answer_id,
    askedAt: timestampFromMs(row.asked_at),
    citations: fromBinary(TurnSchema, row.citations).citations,
  };
}

function toToken(updatedAtMs: number, id: string): string {
  return Buffer.from(JSON.stringify([updatedAtMs, id])).toString('base64url');
}

function parseToken(token: string): { updatedAtMs: number; id: string } | undefined {
  if (token === '') return undefined;
  try {
    const [updatedAtMs, id] = JSON.parse(Buffer.from(token, 'base64url').toString()) as [unknown, unknown];
    if (typeof updatedAtMs === 'number' && typeof id === 'string') return { updatedAtMs, id };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
  }
  throw invalidArgument('page_token is not one that ListSessions gave');
}
