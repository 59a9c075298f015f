import { sql } from 'kysely';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import type { Database } from '#kit/storage/database.ts';
import type { PastTurn } from '../../answer/turn.ts';
import type { Owner } from '../owner.ts';
import type { SessionSchema } from '../schema.ts';
import { toTitle } from '../title.ts';
import type { TurnWrite } from '../writer.ts';

/** Longest wait for answers that other replicas are about to write, in milliseconds, and the time between two looks. */
const maxWaitMs = 1000;
const lookEveryMs = 50;
/** Longest wait for another replica to end an answer, in milliseconds: several times its look for such answers. */
const maxStopMs = 3000;
/** Age at which an answer in flight is considered lost with its replica, in milliseconds: longer than the deadline of Ask. */
const lostAfterMs = 150_000;

/** A question whose answer begins. */
export interface OpeningAsk {
  sessionId: string;
  /** Whether its session is not in the store yet. */
  isNewSession: boolean;
  answerId: string;
  question: string;
  askedAtMs: number;
}

/** A question whose process has ended without an answer to it. */
export type LostAsk = Pick<OpeningAsk, 'question' | 'askedAtMs'>;

/** The questions in flight, as all replicas see them. */
export type OpenAsks = ReturnType<typeof createOpenAsks>;

/**
 * Creates the list of questions in flight that replicas share through PostgreSQL. The client has the session's id from the first event on,
 * and its next question may reach another replica. An open question also reserves its place among the turns of its session: they are in
 * the order in which they were asked, whichever replica writes first. `replica`: a name of this process.
 */
export function createOpenAsks(database: Database<SessionSchema>, clock: () => number, replica: string) {
  const ofOthers = ({ tenant, user }: Owner, sessionId: string) =>
    database
      .selectFrom('open_ask')
      .select('question')
      .where('session_id', '=', sessionId)
      .where('tenant', '=', tenant)
      .where('user', '=', user)
      .where('replica', '<>', replica)
      .where('opened_at', '>', clock() - lostAfterMs)
      .orderBy('seq')
      .execute();
  return {
    /** Adds a question, and its session if that is new; resolves when other replicas see it. A session that was deleted stays deleted. */
    async open({ tenant, user }: Owner, ask: OpeningAsk): Promise<void> {
      const { sessionId, isNewSession, answerId, question, askedAtMs } = ask;
      await database.transaction().execute(async (transaction) => {
        if (isNewSession) {
          const session = { id: sessionId, tenant, user, title: toTitle(question), turn_count: 0 };
          const times = { created_at: askedAtMs, updated_at: askedAtMs };
          await transaction
            .insertInto('session')
            .values({ ...session, ...times })
            .execute();
        } else {
          // A crash of the server loses the place of a turn, but no turn: that is not worth the wait for its disk.
          await sql`SET LOCAL synchronous_commit = off`.execute(transaction);
        }
        const columns = { answer_id: answerId, question, replica, opened_at: clock() };
        await transaction
          .insertInto('open_ask')
          .columns(['session_id', 'tenant', 'user', 'answer_id', 'question', 'replica', 'opened_at'])
          .expression((select) =>
            select
              .selectFrom('session')
              .select(['id', 'tenant', 'user'])
              .select([
                sql<string>`cast(${columns.answer_id} as text)`.as('answer_id'),
                sql<string>`cast(${columns.question} as text)`.as('question'),
                sql<string>`cast(${columns.replica} as text)`.as('replica'),
                sql<number>`cast(${columns.opened_at} as bigint)`.as('opened_at'),
              ])
              .where('id', '=', sessionId)
              .where('tenant', '=', tenant)
              .where('user', '=', user),
          )
          .execute();
      });
    },

    /** Returns the owner's questions of a session that other replicas still answer, oldest first, after a wait for those that end soon. */
    async turnsOfOthers(owner: Owner, sessionId: string, signal: AbortSignal): Promise<PastTurn[]> {
      const deadline = performance.now() + maxWaitMs;
      for (;;) {
        const open = await ofOthers(owner, sessionId);
        if (open.length === 0) return [];
        if (performance.now() > deadline) return open.map(({ question }) => ({ question, answer: '' }));
        await sleep(lookEveryMs, signal);
      }
    },

    /** Returns the answers of this replica that others want stopped. */
    async stopsWanted(): Promise<readonly string[]> {
      const wanted = database.selectFrom('open_ask').select('answer_id').where('stopped_at', 'is not', null);
      const rows = await wanted.where('replica', '=', replica).execute();
      return rows.map(({ answer_id }) => answer_id);
    },

    /** Has an answer stopped by its replica. Returns its question if that replica does not do so: it has ended. */
    async stop({ tenant, user }: Owner, sessionId: string, answerId: string): Promise<LostAsk | undefined> {
      const [asked] = await database
        .updateTable('open_ask')
        .set({ stopped_at: clock() })
        .where('answer_id', '=', answerId)
        .where('session_id', '=', sessionId)
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .returning(['question', 'opened_at'])
        .execute();
      if (asked === undefined) return undefined;
      const isOpen = database.selectFrom('open_ask').select('seq').where('answer_id', '=', answerId);
      const deadline = performance.now() + maxStopMs;
      while (performance.now() < deadline) {
        await sleep(lookEveryMs);
        if ((await isOpen.execute()).length === 0) return undefined;
      }
      return { question: asked.question, askedAtMs: asked.opened_at };
    },

    /** Removes the questions of replicas that have ended without an answer to them. */
    async purge(): Promise<void> {
      await database
        .deleteFrom('open_ask')
        .where('opened_at', '<=', clock() - lostAfterMs)
        .execute();
    },
  };
}

/** Returns the turn of a question that no process answers any more: an interrupted answer without text. */
export function lostTurn({ tenant, user }: Owner, ask: Omit<OpeningAsk, 'isNewSession'>): TurnWrite {
  const { sessionId, answerId, question, askedAtMs } = ask;
  const turn = { answer: '', citations: [], outcome: AnswerOutcome.TRUNCATED, model: '' };
  return { tenant, user, sessionId, mayCreate: false, answerId, question, askedAtMs, turn };
}
