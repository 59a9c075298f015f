import type { Transaction } from 'kysely';
import { type OpenReason, TopicState } from '#gen/ragmesh/chat/v1/inbox_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { lockNames } from '#kit/storage/postgres/database.ts';
import type { Owner } from '../../sessions/owner.ts';
import type { SessionSchema } from '../../sessions/schema.ts';
import { isSameTopic, termsOf } from './terms.ts';

/** Questions of a topic that are kept. */
export const maxQuestions = 50;
/** Questions after which those beyond are dropped: not each time, because it costs as much as adding one. */
const dropEvery = 10;
/** Topics of a tenant; those with the oldest question are dropped. */
const maxTopics = 5000;
/** Topics that a new question is compared with: those with the most terms in common. */
const maxCandidates = 20;

/** A question for the inbox. */
export interface InboxQuestion {
  answerId: string;
  /** With masks for personal data. */
  question: string;
  reason: OpenReason;
  askedAtMs: number;
}

/** Creates what adds questions to the inbox. `newId` names topics. */
export function createInboxWriter(database: Database<SessionSchema>, newId: () => string) {
  const isShared = engineOf(database) === 'postgres';
  return {
    /** Adds a question to its topic, or to a new one. A question that is already in the inbox stays as it is. */
    async addToInbox({ tenant, user }: Owner, given: InboxQuestion): Promise<void> {
      const { answerId, question, reason, askedAtMs } = given;
      await database.transaction().execute(async (tx) => {
        if (isShared) await lockNames(tx, 'inbox', [tenant]);
        const terms = termsOf(question);
        const found = await findTopic(tx, tenant, terms);
        const topicId = found?.id ?? newId();
        if (found === undefined) await addTopic(tx, { tenant, user }, given, terms, topicId);
        const added = await tx
          .insertInto('inbox_question')
          .values({
            ...{ tenant, user, question, reason },
            answer_id: answerId,
            topic_id: topicId,
            asked_at: askedAtMs,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returning('answer_id')
          .execute();
        if (added.length === 0) return;
        await tx
          .updateTable('inbox_topic')
          .where('tenant', '=', tenant)
          .where('id', '=', topicId)
          .set(({ eb }) => ({
            question_count: eb('question_count', '+', 1),
            last_at: askedAtMs,
            ...(found?.state === TopicState.RESOLVED && { state: TopicState.OPEN }),
          }))
          .execute();
        const count = (found?.question_count ?? 0) + 1;
        if (count > maxQuestions && count % dropEvery === 0) await dropOldQuestions(tx, tenant, topicId);
      });
    },
  };
}

const topicColumns = [
  'inbox_topic.id',
  'inbox_topic.term_count',
  'inbox_topic.question_count',
  'inbox_topic.state',
] as const;

/** The topic of the tenant that asks for the same as these terms; `undefined` if there is none. */
async function findTopic(tx: Transaction<SessionSchema>, tenant: string, terms: readonly string[]) {
  if (terms.length === 0) return undefined;
  const candidates = await tx
    .selectFrom('inbox_term')
    .innerJoin('inbox_topic', (join) =>
      join.onRef('inbox_topic.tenant', '=', 'inbox_term.tenant').onRef('inbox_topic.id', '=', 'inbox_term.topic_id'),
    )
    .where('inbox_term.tenant', '=', tenant)
    .where('inbox_term.term', 'in', [...terms])
    .groupBy([...topicColumns])
    .select([...topicColumns])
    .select(({ fn }) => fn.countAll<number>().as('shared'))
    .orderBy('shared', 'desc')
    .orderBy('inbox_topic.id')
    .limit(maxCandidates)
    .execute();
  return candidates.find(({ shared, term_count }) => isSameTopic(Number(shared), terms.length, term_count));
}

async function addTopic(
  tx: Transaction<SessionSchema>,
  { tenant, user }: Owner,
  given: InboxQuestion,
  terms: string[],
  id: string,
) {
  const { question, askedAtMs } = given;
  await tx
    .insertInto('inbox_topic')
    .values({
      ...{ tenant, id, question, asked_by: user, state: TopicState.OPEN, term_count: terms.length, question_count: 0 },
      ...{ first_at: askedAtMs, last_at: askedAtMs, assignee: '', comment: '', curated_id: '' },
      ...{ changed_by: '', changed_at: null },
    })
    .execute();
  if (terms.length > 0) {
    await tx
      .insertInto('inbox_term')
      .values(terms.map((term) => ({ tenant, term, topic_id: id })))
      .execute();
  }
  await dropOldTopics(tx, tenant);
}

async function dropOldQuestions(tx: Transaction<SessionSchema>, tenant: string, topicId: string) {
  const kept = tx
    .selectFrom('inbox_question')
    .select('answer_id')
    .where('tenant', '=', tenant)
    .where('topic_id', '=', topicId)
    .orderBy('asked_at', 'desc')
    .orderBy('answer_id')
    .limit(maxQuestions);
  await tx
    .deleteFrom('inbox_question')
    .where('tenant', '=', tenant)
    .where('topic_id', '=', topicId)
    .where('answer_id', 'not in', kept)
    .execute();
}

async function dropOldTopics(tx: Transaction<SessionSchema>, tenant: string) {
  const old = tx
    .selectFrom('inbox_topic')
    .select('id')
    .where('tenant', '=', tenant)
    .orderBy('last_at', 'desc')
    .orderBy('id')
    .limit(1000)
    .offset(maxTopics);
  const ids = (await old.execute()).map(({ id }) => id);
  if (ids.length === 0) return;
  await tx.deleteFrom('inbox_term').where('tenant', '=', tenant).where('topic_id', 'in', ids).execute();
  await tx.deleteFrom('inbox_question').where('tenant', '=', tenant).where('topic_id', 'in', ids).execute();
  await tx.deleteFrom('inbox_topic').where('tenant', '=', tenant).where('id', 'in', ids).execute();
}
