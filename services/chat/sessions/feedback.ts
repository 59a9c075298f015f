import { sql } from 'kysely';
import type { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from './owner.ts';
import type { SessionSchema } from './schema.ts';

/** The rating of an answer. */
export interface Feedback {
  answerId: string;
  rating: Rating;
  comment: string;
  submittedAtMs: number;
}

/** Stores the rating of an answer, and replaces an earlier one. Returns whether the owner has that answer. */
export async function rateAnswer(
  database: Database<SessionSchema>,
  { tenant, user }: Owner,
  { answerId, rating, comment, submittedAtMs }: Feedback,
): Promise<boolean> {
  const rows = await database
    .insertInto('feedback')
    .columns(['answer_id', 'rating', 'comment', 'submitted_at'])
    .expression((select) =>
      select
        .selectFrom('answer')
        .select([
          'answer_id',
          sql<number>`cast(${rating} as bigint)`.as('rating'),
          sql<string>`cast(${comment} as text)`.as('comment'),
          sql<number>`cast(${submittedAtMs} as bigint)`.as('submitted_at'),
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
}
