import { fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import { type FeedbackReason, Rating, type SubmitFeedbackRequest, TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { ListFeedbackRequest } from '#gen/ragmesh/chat/v1/feedback_pb.ts';
import { labelsOf } from '#kit/personal-data/seal.ts';
import type { Database } from '#kit/storage/database.ts';
import type { Owner } from './owner.ts';
import { parsePageToken, toPageToken } from './page-token.ts';
import type { SessionSchema } from './schema.ts';

const defaultPageSize = 50;

/** What a user says about an answer. */
export type GivenFeedback = Pick<SubmitFeedbackRequest, 'answerId' | 'rating' | 'comment' | 'reasons'>;

/** Which feedback to read. */
export type FeedbackQuery = Pick<ListFeedbackRequest, 'pageSize' | 'pageToken' | 'rating' | 'reason' | 'since'>;

/** Creates the store of feedback. An entry has a copy of what its answer cites, so that it outlives the answer. */
export function createFeedback(database: Database<SessionSchema>, clock: () => number) {
  return {
    /** Stores the feedback on an answer, and replaces an earlier one; resolves to whether the owner has that answer. */
    async rate({ tenant, user }: Owner, { answerId, rating, comment, reasons }: GivenFeedback): Promise<boolean> {
      const listed = toList(reasons);
      const rows = await database
        .insertInto('rating')
        .columns([
          ...(['answer_id', 'tenant', 'user', 'rating', 'reasons', 'comment'] as const),
          ...(['submitted_at', 'asked_at', 'citations'] as const),
        ])
        .expression((select) =>
          select
            .selectFrom('answer')
            .select([
              'answer_id',
              'tenant',
              'user',
              sql<number>`cast(${rating} as bigint)`.as('rating'),
              sql<string>`cast(${listed} as text)`.as('reasons'),
              sql<string>`cast(${comment} as text)`.as('comment'),
              sql<number>`cast(${clock()} as bigint)`.as('submitted_at'),
              'asked_at',
              'citations',
            ])
            .where('answer_id', '=', answerId)
            .where('tenant', '=', tenant)
            .where('user', '=', user),
        )
        .onConflict((conflict) =>
          conflict.column('answer_id').doUpdateSet(({ ref }) => ({
            rating: ref('excluded.rating'),
            reasons: ref('excluded.reasons'),
            comment: ref('excluded.comment'),
            submitted_at: ref('excluded.submitted_at'),
          })),
        )
        .returning('answer_id')
        .execute();
      return rows.length > 0;
    },

    /** Returns the question of an answer of the owner, understandable without its conversation, with kinds in the place of personal data; `undefined` if there is no such answer. */
    async questionOf({ tenant, user }: Owner, answerId: string) {
      const row = await database
        .selectFrom('answer')
        .select(['question', 'asked_at', 'citations'])
        .where('answer_id', '=', answerId)
        .where('tenant', '=', tenant)
        .where('user', '=', user)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { standaloneQuestion = '' } = fromBinary(TurnSchema, row.citations).trace ?? {};
      return { question: labelsOf(standaloneQuestion || row.question), askedAtMs: row.asked_at };
    },

    /** Returns a page of a tenant's feedback, the latest first. Throws INVALID_ARGUMENT for an invalid page token. */
    async listFeedback({ tenant }: Pick<Owner, 'tenant'>, query: FeedbackQuery) {
      const { rating, reason, since, pageToken } = query;
      const pageSize = query.pageSize || defaultPageSize;
      const after = parsePageToken(pageToken);
      const rows = await database
        .selectFrom('rating')
        .selectAll()
        .where('tenant', '=', tenant)
        .$if(rating !== Rating.UNSPECIFIED, (select) => select.where('rating', '=', rating))
        .$if(reason !== 0, (select) => select.where('reasons', 'like', `%,${reason},%`))
        .$if(since !== undefined, (select) => select.where('submitted_at', '>=', since ? timestampMs(since) : 0))
        .$if(after !== undefined, (select) =>
          select.where(sql<boolean>`(submitted_at, answer_id) < (${after?.updatedAtMs ?? 0}, ${after?.id ?? ''})`),
        )
        .orderBy('submitted_at', 'desc')
        .orderBy('answer_id', 'desc')
        .limit(pageSize + 1)
        .execute();
      const page = rows.slice(0, pageSize);
      const last = page.at(-1);
      const isMore = rows.length > pageSize && last !== undefined;
      return {
        feedback: page.map(toFeedback),
        nextPageToken: isMore ? toPageToken({ updatedAtMs: last.submitted_at, id: last.answer_id }) : '',
      };
    },
  };
}

function toFeedback(row: SessionSchema['rating']) {
  const { citations, outcome, model } = fromBinary(TurnSchema, row.citations);
  return {
    ...{ answerId: row.answer_id, user: row.user, rating: row.rating as Rating, comment: row.comment },
    ...{ citations, outcome, model },
    reasons: row.reasons.split(',').filter(Boolean).map(Number) as FeedbackReason[],
    submittedAt: timestampFromMs(row.submitted_at),
    askedAt: timestampFromMs(row.asked_at),
  };
}

function toList(reasons: readonly FeedbackReason[]): string {
  const sorted = [...new Set(reasons)].sort((a, b) => a - b);
  return sorted.length === 0 ? '' : `,${sorted.join(',')},`;
}
