import { create, toBinary } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import type { Insertable, Transaction } from 'kysely';
import type { AnswerTrace } from '#gen/ragmesh/chat/v1/answer_trace_pb.ts';
import { TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { AnswerOutcome, Citation } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { createInsert } from '#kit/storage/insert-rows.ts';
import type { SessionSchema } from './schema.ts';
import { toTitle } from './title.ts';

/** Something to write about a session. */
export interface TurnWrite {
  tenant: string;
  user: string;
  /** Empty: the answer belongs to no session, and only its owner is stored. */
  sessionId: string;
  /** Whether the session may be created; otherwise a session that was deleted meanwhile stays deleted. */
  mayCreate: boolean;
  answerId: string;
  question: string;
  askedAtMs: number;
  /** The answer; `undefined`: only the session is created. */
  turn: WrittenAnswer | undefined;
}

/** An answer to write. */
export interface WrittenAnswer {
  answer: string;
  citations: readonly Citation[];
  outcome: AnswerOutcome;
  model: string;
  trace?: AnswerTrace;
  /** The person who wrote it; absent: the assistant. */
  person?: string;
  /** Whether its user stopped it. @default false */
  isStopped?: boolean;
}

/** Writes that may wait, and that share a transaction. */
const maxQueued = 10_000;
const maxBatch = 256;

/**
 * Creates a writer that stores turns durably. Turns that arrive while a transaction runs share the next one, and so one flush of the
 * disk; none waits for others. A second write of the same answer changes nothing.
 */
export function createTurnWriter(database: Database<SessionSchema>) {
  interface Waiter extends PromiseWithResolvers<void> {
    write: TurnWrite;
  }
  let queue: Waiter[] = [];
  let running: Promise<void> | undefined;

  const run = async () => {
    // The first batch has everything of this turn of the event loop.
    await new Promise(setImmediate);
    while (queue.length > 0) {
      const batch = queue.slice(0, maxBatch);
      queue = queue.slice(maxBatch);
      try {
        await database.transaction().execute((transaction) =>
          writeAll(
            transaction,
            batch.map(({ write }) => write),
          ),
        );
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = undefined;
  };

  return {
    /** Resolves when it is durable. */
    append(write: TurnWrite): Promise<void> {
      if (queue.length >= maxQueued) {
        const message = `${maxQueued} turns wait to be written: try again`;
        throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 500 });
      }
      const waiter = { ...Promise.withResolvers<void>(), write };
      queue.push(waiter);
      running ??= run();
      return waiter.promise;
    },
    /** Resolves when nothing waits. */
    idle: (): Promise<void> => running ?? Promise.resolve(),
  };
}

/** What of an answer is not a column. */
function restOf({ citations, outcome, model, trace, person = '', isStopped: stopped = false }: WrittenAnswer) {
  return create(TurnSchema, { citations: [...citations], outcome, model, person, stopped, ...(trace && { trace }) });
}

const noCitations = toBinary(TurnSchema, create(TurnSchema));

async function writeAll(transaction: Transaction<SessionSchema>, given: readonly TurnWrite[]): Promise<void> {
  const isShared = engineOf(transaction) === 'postgres';
  // Replicas lock sessions first and in one order, so that two of them, or one and a deletion, never wait for each other.
  const writes = given.toSorted((a, b) => (a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : 0));
  const begun = writes.filter(({ sessionId, mayCreate }) => sessionId !== '' && mayCreate);
  const alive = new Set<string>();
  if (begun.length > 0) {
    const rows = begun.map(({ sessionId: id, tenant, user, question, askedAtMs }) => ({
      ...{ id, tenant, user, title: toTitle(question) },
      ...{ created_at: askedAtMs, updated_at: askedAtMs, turn_count: 0 },
    }));
    for (const row of await insertSessions(transaction, rows)) alive.add(nameOf(row));
  }
  const unsure = writes.filter(
    (write) => write.sessionId !== '' && !alive.has(nameOf({ id: write.sessionId, ...write })),
  );
  if (unsure.length > 0) {
    const ids = unsure.map(({ sessionId }) => sessionId);
    const there = transaction
      .selectFrom('session')
      .select(['id', 'tenant', 'user'])
      .where('id', 'in', ids)
      .orderBy('id')
      .$if(isShared, (query) => query.forUpdate());
    for (const row of await there.execute()) alive.add(nameOf(row));
  }
  const answers = writes.flatMap(({ sessionId, tenant, user, answerId, question, askedAtMs, turn }) => {
    if (turn === undefined || (sessionId !== '' && !alive.has(nameOf({ id: sessionId, tenant, user })))) return [];
    const isKept = sessionId !== '';
    const row = {
      answer_id: answerId,
      session_id: isKept ? sessionId : null,
      tenant,
      user,
      question: isKept ? question : '',
      answer: isKept ? turn.answer : '',
      asked_at: askedAtMs,
      citations: isKept ? toBinary(TurnSchema, restOf(turn)) : noCitations,
    };
    return [row];
  });
  const places = isShared ? await closeAsks(transaction, writes) : new Map<string, number>();
  const turns = answers.flatMap((row) => {
    const seq = places.get(row.answer_id);
    return seq === undefined ? [] : [{ seq, ...row }];
  });
  await insertTurns(transaction, turns);
  await insertAnswers(
    transaction,
    answers.filter(({ answer_id }) => !places.has(answer_id)),
  );
}

/** Removes the questions of these writes from those in flight. Returns the places that they have reserved among the turns, by answer. */
async function closeAsks(
  transaction: Transaction<SessionSchema>,
  writes: readonly TurnWrite[],
): Promise<ReadonlyMap<string, number>> {
  const answerIds = writes.filter(({ sessionId }) => sessionId !== '').map(({ answerId }) => answerId);
  if (answerIds.length === 0) return new Map();
  const closed = await transaction
    .deleteFrom('open_ask')
    .where('answer_id', 'in', answerIds)
    .returning(['answer_id', 'seq'])
    .execute();
  return new Map(closed.map(({ answer_id, seq }) => [answer_id, seq]));
}

const insertSessions = createInsert((db: Database<SessionSchema>, row: SessionSchema['session']) =>
  db
    .insertInto('session')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning(['id', 'tenant', 'user']),
);

const insertTurns = createInsert((db: Database<SessionSchema>, row: Insertable<SessionSchema['answer']>) =>
  db
    .insertInto('answer')
    .values(row)
    .onConflict((conflict) => conflict.doNothing()),
);

const insertAnswers = createInsert((db: Database<SessionSchema>, row: Insertable<SessionSchema['answer']>) =>
  db
    .insertInto('answer')
    .values(row)
    .onConflict((conflict) => conflict.doNothing()),
);

/** Returns the name of a session with its owner: a turn is written only into a session of its own owner. */
function nameOf({ id, tenant, user }: { id: string; tenant: string; user: string }): string {
  return JSON.stringify([id, tenant, user]);
}
