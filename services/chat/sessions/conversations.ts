import { fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import { Rating, TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ListConversationsRequest } from '#gen/ragmesh/chat/v1/conversation_desk_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { type PagePosition, parsePageToken, toPageToken } from './page-token.ts';
import { latestTurns, toSession } from './read.ts';
import type { SessionSchema } from './schema.ts';

/** Sessions of a page if the request names no number. */
const defaultPageSize = 100;
/** Sessions that are looked through for a page: a condition that few of them meet must not read all of a tenant. */
const maxLooked = 20_000;

/** What selects sessions. */
export type ConversationFilter = Pick<
  ListConversationsRequest,
  'user' | 'search' | 'handoverStates' | 'onlyRatedDown' | 'from' | 'pageSize' | 'pageToken'
>;

/** Creates the reads of sessions of all users of a tenant, for operators. */
export function createConversations(database: Database<SessionSchema>, oldestMs: () => number) {
  const sessionsOf = (tenant: string, user: string, fromMs: number, after: PagePosition | undefined) =>
    database
      .selectFrom('session')
      .where('session.tenant', '=', tenant)
      .$if(user !== '', (query) => query.where('session.user', '=', user))
      .where('session.updated_at', '>', fromMs)
      .$if(after !== undefined, (query) =>
        query.where(sql<boolean>`(session.updated_at, session.id) < (${after?.updatedAtMs ?? 0}, ${after?.id ?? ''})`),
      )
      .orderBy('session.updated_at', 'desc')
      .orderBy('session.id', 'desc');

  return {
    /** Returns a page of sessions, the latest first. Throws INVALID_ARGUMENT for an invalid page token. */
    async listConversations(tenant: string, filter: ConversationFilter) {
      const { user, search, handoverStates, onlyRatedDown, from, pageToken } = filter;
      const after = parsePageToken(pageToken);
      const pageSize = filter.pageSize || defaultPageSize;
      const fromMs = Math.max(oldestMs(), from === undefined ? 0 : timestampMs(from) - 1);
      const last = await sessionsOf(tenant, user, fromMs, after)
        .select(['session.id', 'session.updated_at'])
        .offset(maxLooked - 1)
        .limit(1)
        .executeTakeFirst();
      const rows = await sessionsOf(tenant, user, fromMs, after)
        .leftJoin('handover', 'handover.session_id', 'session.id')
        .selectAll('session')
        .select(['handover.state', 'handover.reason', 'handover.changed_at'])
        .$if(last !== undefined, (query) =>
          query.where(sql<boolean>`(session.updated_at, session.id) >= (${last?.updated_at ?? 0}, ${last?.id ?? ''})`),
        )
        .$if(handoverStates.length > 0, (query) => query.where('handover.state', 'in', handoverStates))
        .$if(search !== '', (query) => query.where(asks(search)))
        .$if(onlyRatedDown, (query) => query.where(ratedDown))
        .limit(pageSize + 1)
        .execute();
      const page = rows.slice(0, pageSize);
      const end = rows.length > pageSize ? page.at(-1) : last;
      return {
        conversations: page.map(toConversation),
        nextPageToken: end === undefined ? '' : toPageToken({ updatedAtMs: end.updated_at, id: end.id }),
      };
    },

    /** Returns a session of the tenant with its latest turns, oldest first; `undefined` if there is none. */
    async getConversation(tenant: string, sessionId: string) {
      const row = await sessionsOf(tenant, '', oldestMs(), undefined)
        .leftJoin('handover', 'handover.session_id', 'session.id')
        .where('session.id', '=', sessionId)
        .selectAll('session')
        .select(['handover.state', 'handover.reason', 'handover.changed_at'])
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const turns = await latestTurns(database, sessionId);
      return {
        conversation: toConversation(row),
        turns: turns.map(({ citations: rest, ...turn }) => {
          const { citations, outcome, model, trace, person } = fromBinary(TurnSchema, rest);
          return {
            question: turn.question,
            answer: turn.answer,
            answerId: turn.answer_id,
            askedAt: timestampFromMs(turn.asked_at),
            ...{ citations, outcome, model, person, ...(trace && { trace }) },
          };
        }),
      };
    },
  };
}

/** A condition: a question of the session has this text. */
function asks(search: string) {
  const pattern = `%${search.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`;
  return sql<boolean>`EXISTS (SELECT 1 FROM answer WHERE answer.session_id = session.id
    AND lower(answer.question) LIKE ${pattern} ESCAPE '\\')`;
}

const ratedDown = sql<boolean>`EXISTS (SELECT 1 FROM answer JOIN rating ON rating.answer_id = answer.answer_id
  WHERE answer.session_id = session.id AND rating.rating = ${sql.lit(Rating.DOWN)})`;

type Row = SessionSchema['session'] & {
  state: SessionSchema['handover']['state'] | null;
  reason: SessionSchema['handover']['reason'] | null;
  changed_at: number | null;
};

function toConversation({ state, reason, changed_at, ...session }: Row) {
  return {
    session: toSession(session),
    user: session.user,
    ...(state !== null && { handoverState: state }),
    ...(reason !== null && { handoverReason: reason }),
    ...(changed_at !== null && { handoverAt: timestampFromMs(changed_at) }),
  };
}
