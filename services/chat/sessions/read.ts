import { fromBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { sql } from 'kysely';
import { TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { Owner } from './owner.ts';
import { parsePageToken, toPageToken } from './page-token.ts';
import type { SessionSchema } from './schema.ts';

/** Turns that a session shows, and bytes of them: the message that carries them is bounded. */
const maxTurns = 500;
const maxTurnBytes = 3_000_000;

/** Creates the reads of sessions; each sees the sessions of one owner, with a question at or after `oldestMs()`. */
export function createSessionReads(database: Database<SessionSchema>, oldestMs: () => number) {
  const owned = ({ tenant, user }: Owner) =>
    database
      .selectFrom('session')
      .where('session.tenant', '=', tenant)
      .where('session.user', '=', user)
      .where('session.updated_at', '>', oldestMs());

  return {
    /** Returns the latest `limit` turns of a session, oldest first; `undefined` if the owner has no such session. */
    async load(owner: Owner, sessionId: string, limit: number): Promise<PastTurn[] | undefined> {
      const rows = await owned(owner)
        .where('session.id', '=', sessionId)
        // A reply of a person has no question, and is no turn of the assistant.
        .leftJoin('answer', (join) =>
          join.onRef('answer.session_id', '=', 'session.id').on('answer.question', '<>', ''),
        )
        .select(['answer.question', 'answer.answer', 'answer.citations', 'answer.seq'])
        .orderBy('answer.seq', 'desc')
        .limit(Math.max(1, limit))
        .execute();
      if (rows.length === 0) return undefined;
      const turns = rows.flatMap(({ question, answer, citations, seq }) =>
        question === null || answer === null || seq === null
          ? []
          : [{ ...toPastTurn(question, answer, citations), seq }],
      );
      return turns.reverse();
    },

    /** Returns a page of sessions, the latest first. Throws INVALID_ARGUMENT for an invalid page token. */
    async list(owner: Owner, pageSize: number, pageToken: string) {
      const after = parsePageToken(pageToken);
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
        nextPageToken:
          rows.length > pageSize && last !== undefined
            ? toPageToken({ updatedAtMs: last.updated_at, id: last.id })
            : '',
      };
    },

    /** Returns a session with its latest turns, oldest first; `undefined` if the owner has no such session. */
    async get(owner: Owner, sessionId: string) {
      const session = await owned(owner).selectAll('session').where('session.id', '=', sessionId).executeTakeFirst();
      if (session === undefined) return undefined;
      return { session: toSession(session), turns: (await latestTurns(database, sessionId)).map(toTurn) };
    },
  };
}

/** Returns the latest turns of a session, oldest first, as many as fit into a message. */
export async function latestTurns(database: Database<SessionSchema>, sessionId: string) {
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
  return shown.reverse();
}

/** Returns a session as the contract has it. */
export function toSession(row: SessionSchema['session']) {
  return {
    sessionId: row.id,
    title: row.title,
    createdAt: timestampFromMs(row.created_at),
    updatedAt: timestampFromMs(row.updated_at),
    turnCount: row.turn_count,
  };
}

function toPastTurn(question: string, answer: string, rest: Uint8Array | null): PastTurn {
  if (rest === null) return { question, answer };
  const { citations, outcome } = fromBinary(TurnSchema, rest);
  return { question, answer, citations, ...(outcome !== AnswerOutcome.UNSPECIFIED && { outcome }) };
}

function toTurn(row: { question: string; answer: string; answer_id: string; asked_at: number; citations: Uint8Array }) {
  return {
    question: row.question,
    answer: row.answer,
    answerId: row.answer_id,
    askedAt: timestampFromMs(row.asked_at),
    ...restOf(row.citations),
  };
}

function restOf(bytes: Uint8Array) {
  const { citations, outcome, model, person, stopped } = fromBinary(TurnSchema, bytes);
  return { citations, outcome, model, person, stopped };
}
