import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import { type OpenReason, TopicState, type UpdateTopicRequest } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from '../../sessions/owner.ts';
import { parsePageToken, toPageToken } from '../../sessions/page-token.ts';
import type { SessionSchema } from '../../sessions/schema.ts';
import { maxQuestions } from './add.ts';

const defaultPageSize = 50;
const dayMs = 86_400_000;
const trendDays = 14;

type TopicRow = SessionSchema['inbox_topic'];

/** Creates what operators read and change in the inbox. */
export function createTopics(database: Database<SessionSchema>, clock: () => number) {
  return {
    /** Returns a page of topics in a state, those with the latest question first. Throws INVALID_ARGUMENT for an invalid page token. */
    async listTopics(tenant: string, given: { state: TopicState; pageSize: number; pageToken: string }) {
      const pageSize = given.pageSize || defaultPageSize;
      const after = parsePageToken(given.pageToken);
      const rows = await database
        .selectFrom('inbox_topic')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('state', '=', given.state || TopicState.OPEN)
        .$if(after !== undefined, (select) =>
          select.where(sql<boolean>`(last_at, id) < (${after?.updatedAtMs ?? 0}, ${after?.id ?? ''})`),
        )
        .orderBy('last_at', 'desc')
        .orderBy('id', 'desc')
        .limit(pageSize + 1)
        .execute();
      const page = rows.slice(0, pageSize);
      const last = page.at(-1);
      const isMore = rows.length > pageSize && last !== undefined;
      return {
        topics: await withCounts(tenant, page),
        nextPageToken: isMore ? toPageToken({ updatedAtMs: last.last_at, id: last.id }) : '',
      };
    },

    /** Returns a topic with its latest questions; `undefined` if there is none. */
    async findInboxTopic(tenant: string, topicId: string) {
      const row = await topicOf(tenant, topicId);
      if (row === undefined) return undefined;
      const questions = await database
        .selectFrom('inbox_question')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('topic_id', '=', topicId)
        .orderBy('asked_at', 'desc')
        .orderBy('answer_id')
        .limit(maxQuestions)
        .execute();
      const [topic] = await withCounts(tenant, [row]);
      return {
        topic,
        questions: questions.map(({ answer_id, question, reason, asked_at }) => ({
          ...{ answerId: answer_id, question, reason: reason as OpenReason, askedAt: timestampFromMs(asked_at) },
        })),
      };
    },

    /** Changes a topic and returns it; `undefined` if there is none. */
    async updateTopic({ tenant, user }: Owner, given: UpdateTopicRequest) {
      const { topicId, state, assignee, comment, curatedAnswerId } = given;
      const changed = await database
        .updateTable('inbox_topic')
        .where('tenant', '=', tenant)
        .where('id', '=', topicId)
        .set({ state, assignee, comment, curated_id: curatedAnswerId, changed_by: user, changed_at: clock() })
        .returningAll()
        .executeTakeFirst();
      return changed === undefined ? undefined : (await withCounts(tenant, [changed]))[0];
    },
  };

  function topicOf(tenant: string, topicId: string) {
    return database
      .selectFrom('inbox_topic')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('id', '=', topicId)
      .executeTakeFirst();
  }

  /** The topics with what is counted of their kept questions. */
  async function withCounts(tenant: string, rows: readonly TopicRow[]) {
    if (rows.length === 0) return [];
    const questions = await database
      .selectFrom('inbox_question')
      .select(['topic_id', 'reason', 'asked_at'])
      .where('tenant', '=', tenant)
      .where(
        'topic_id',
        'in',
        rows.map(({ id }) => id),
      )
      .execute();
    const today = Math.floor(clock() / dayMs);
    return rows.map((row) => {
      const own = questions.filter(({ topic_id }) => topic_id === row.id);
      const dailyCounts = Array.from({ length: trendDays }, () => 0);
      const counts = new Map<number, number>();
      for (const { reason, asked_at } of own) {
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
        const day = trendDays - 1 - (today - Math.floor(asked_at / dayMs));
        if (day >= 0 && day < trendDays) dailyCounts[day] = (dailyCounts[day] ?? 0) + 1;
      }
      return toTopic(row, dailyCounts, counts);
    });
  }
}

function toTopic(row: TopicRow, dailyCounts: number[], counts: ReadonlyMap<number, number>) {
  return {
    ...{ topicId: row.id, question: row.question, state: row.state as TopicState, dailyCounts },
    ...{ questionCount: BigInt(row.question_count), assignee: row.assignee, comment: row.comment },
    ...{ curatedAnswerId: row.curated_id, changedBy: row.changed_by },
    reasons: [...counts]
      .sort(([one], [other]) => one - other)
      .map(([reason, count]) => ({ reason: reason as OpenReason, count: BigInt(count) })),
    firstAskedAt: timestampFromMs(row.first_at),
    lastAskedAt: timestampFromMs(row.last_at),
    ...(row.changed_at !== null && { changedAt: timestampFromMs(row.changed_at) }),
  };
}
