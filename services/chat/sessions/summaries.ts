import { sql } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { Summary } from '../prompt/summary.ts';
import type { Owner } from './owner.ts';
import type { SessionSchema } from './schema.ts';

/** A summary of the oldest turns of a session. */
export interface StoredSummary extends Summary {
  /** Place of the latest turn that it represents. */
  readonly untilSeq: number;
}

/** Creates the summaries of sessions, which replicas share. */
export function createSummaries(database: Database<SessionSchema>) {
  const owned = ({ tenant, user }: Owner, sessionId: string) =>
    database
      .selectFrom('session')
      .where('session.id', '=', sessionId)
      .where('session.tenant', '=', tenant)
      .where('session.user', '=', user);
  return {
    /** Returns the summary of a session; `undefined` if it has none. */
    async summary(owner: Owner, sessionId: string): Promise<StoredSummary | undefined> {
      const row = await owned(owner, sessionId)
        .innerJoin('summary', 'summary.session_id', 'session.id')
        .select(['summary.text', 'summary.turn_count', 'summary.until_seq'])
        .executeTakeFirst();
      return row && { text: row.text, turnCount: row.turn_count, untilSeq: row.until_seq };
    },

    /** Returns the latest `limit` turns between two places, oldest first, and how many there are in all. */
    async turnsBetween(
      owner: Owner,
      sessionId: string,
      { afterSeq, beforeSeq, limit }: { afterSeq: number; beforeSeq: number; limit: number },
    ): Promise<{ turns: PastTurn[]; count: number }> {
      const between = owned(owner, sessionId)
        .innerJoin('answer', 'answer.session_id', 'session.id')
        .where('answer.seq', '>', afterSeq)
        .where('answer.seq', '<', beforeSeq);
      const rows = await between
        .select(['answer.question', 'answer.answer', 'answer.seq'])
        .orderBy('answer.seq', 'desc')
        .limit(limit)
        .execute();
      const turns = rows.reverse();
      if (turns.length < limit) return { turns, count: turns.length };
      const { count } = await between.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
      return { turns, count: Number(count) };
    },

    /** Keeps a summary, unless another replica has kept one of more turns. */
    async keepSummary(sessionId: string, { text, turnCount, untilSeq }: StoredSummary): Promise<void> {
      const row = { text, turn_count: turnCount, until_seq: untilSeq };
      await database
        .insertInto('summary')
        .columns(['session_id', 'text', 'turn_count', 'until_seq'])
        // A session that was deleted meanwhile has no summary.
        .expression(({ selectFrom }) =>
          selectFrom('session')
            .where('id', '=', sessionId)
            .select([
              'id',
              // PostgreSQL takes a parameter without a type as text.
              sql<string>`cast(${text} as text)`.as('text'),
              sql<number>`cast(${turnCount} as bigint)`.as('turn_count'),
              sql<number>`cast(${untilSeq} as bigint)`.as('until_seq'),
            ]),
        )
        .onConflict((conflict) =>
          conflict.column('session_id').doUpdateSet(row).where('summary.until_seq', '<', untilSeq),
        )
        .execute();
    },
  };
}
