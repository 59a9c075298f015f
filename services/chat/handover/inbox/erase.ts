import type { Transaction } from 'kysely';
import type { Database } from '#kit/storage/database.ts';
import { isNotHeld } from '../../erasure/holds.ts';
import type { Owner } from '../../sessions/owner.ts';
import type { SessionSchema } from '../../sessions/schema.ts';
import { termsOf } from './terms.ts';

/** Removes the questions of a user, and what topics have of them; returns the number of questions. */
export async function eraseFromInbox(trx: Transaction<SessionSchema>, { tenant, user }: Owner): Promise<number> {
  const removed = await trx
    .deleteFrom('inbox_question')
    .where('tenant', '=', tenant)
    .where('user', '=', user)
    .returning('answer_id')
    .execute();
  const named = await trx
    .selectFrom('inbox_topic')
    .select('id')
    .where('tenant', '=', tenant)
    .where('asked_by', '=', user)
    .execute();
  for (const { id } of named) await renameTopic(trx, tenant, id);
  for (const column of ['assignee', 'changed_by'] as const) {
    await trx
      .updateTable('inbox_topic')
      .set({ [column]: '' })
      .where('tenant', '=', tenant)
      .where(column, '=', user)
      .execute();
  }
  return removed.length;
}

/** Removes questions older than `before` whose users are not held, and topics that have none left. */
export async function expireInbox(database: Database<SessionSchema>, tenant: string, before: number): Promise<void> {
  await database.transaction().execute(async (trx) => {
    const old = trx
      .selectFrom('inbox_question')
      .select('answer_id')
      .where('tenant', '=', tenant)
      .where('asked_at', '<', before)
      .where(isNotHeld('inbox_question'));
    await trx.deleteFrom('inbox_question').where('tenant', '=', tenant).where('answer_id', 'in', old).execute();
    const topics = await trx
      .selectFrom('inbox_topic')
      .select('id')
      .where('tenant', '=', tenant)
      .where('first_at', '<', before)
      .execute();
    for (const { id } of topics) await renameTopic(trx, tenant, id);
  });
}

/** Gives a topic the words of another of its questions; one without questions is removed. */
async function renameTopic(trx: Transaction<SessionSchema>, tenant: string, topicId: string): Promise<void> {
  await trx.deleteFrom('inbox_term').where('tenant', '=', tenant).where('topic_id', '=', topicId).execute();
  const left = await trx
    .selectFrom('inbox_question')
    .select(['question', 'user', 'asked_at'])
    .where('tenant', '=', tenant)
    .where('topic_id', '=', topicId)
    .orderBy('asked_at')
    .limit(1)
    .executeTakeFirst();
  if (left === undefined) {
    await trx.deleteFrom('inbox_topic').where('tenant', '=', tenant).where('id', '=', topicId).execute();
    return;
  }
  const terms = termsOf(left.question);
  await trx
    .updateTable('inbox_topic')
    .set({ question: left.question, asked_by: left.user, first_at: left.asked_at, term_count: terms.length })
    .where('tenant', '=', tenant)
    .where('id', '=', topicId)
    .execute();
  if (terms.length === 0) return;
  await trx
    .insertInto('inbox_term')
    .values(terms.map((term) => ({ tenant, term, topic_id: topicId })))
    .execute();
}
