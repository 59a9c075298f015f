import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type RawBuilder, type SqlBool, sql, type Transaction } from 'kysely';
import { TurnSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { scrubDatabase } from '#kit/storage/scrub.ts';
import { eraseFromInbox } from '../handover/inbox/erase.ts';
import type { Owner } from '../sessions/owner.ts';
import type { SessionSchema } from '../sessions/schema.ts';
import { requireNoHold } from './holds.ts';

/** A document of a corpus. */
export interface ErasedDocument {
  tenant: string;
  corpus: string;
  documentId: string;
}

/** Rows that one transaction reads and changes. */
const rowsAtOnce = 200;

/** Creates the erasures of sessions and feedback. */
export function createErasures(database: Database<SessionSchema>) {
  const remove = async (trx: Transaction<SessionSchema>, table: RemovedTable, { tenant, user }: Owner) => {
    const removal = trx.deleteFrom(table).where('tenant', '=', tenant).where('user', '=', user);
    return Number((await removal.executeTakeFirst()).numDeletedRows);
  };
  return {
    /** Deletes all of a user; returns the counts. Throws FAILED_PRECONDITION if the user is held. */
    async eraseUser(owner: Owner) {
      await requireNoHold(database, owner);
      const { tenant, user } = owner;
      const erased = await database.transaction().execute(async (trx) => {
        const answerCount = await remove(trx, 'answer', owner);
        // The table is in PostgreSQL only.
        if (engineOf(database) === 'postgres') await remove(trx, 'open_ask', owner);
        await remove(trx, 'tool_proposal', owner);
        await eraseFromInbox(trx, owner);
        const sessionCount = await remove(trx, 'session', owner);
        const feedbackCount = await remove(trx, 'rating', owner);
        const curated = await trx
          .updateTable('curated_answer')
          .set({ changed_by: '' })
          .where('tenant', '=', tenant)
          .where('changed_by', '=', user)
          .executeTakeFirst();
        return { sessionCount, answerCount, feedbackCount, curatedCount: Number(curated.numUpdatedRows) };
      });
      await scrubDatabase(database);
      return erased;
    },

    /** Removes the text of answers that cite a document, and the citations of feedback on them; returns the counts. */
    async eraseDocument(document: ErasedDocument) {
      await requireNoHold(database, { tenant: document.tenant, user: '' });
      const answerCount = await eraseCitations(database, 'answer', document);
      const feedbackCount = await eraseCitations(database, 'rating', document);
      await scrubDatabase(database);
      return { answerCount, feedbackCount };
    },
  };
}

type RemovedTable = 'answer' | 'open_ask' | 'tool_proposal' | 'session' | 'rating';

const noCitations = toBinary(TurnSchema, create(TurnSchema));

async function eraseCitations(
  database: Database<SessionSchema>,
  table: 'answer' | 'rating',
  { tenant, corpus, documentId }: ErasedDocument,
): Promise<number> {
  let count = 0;
  for (let after = ''; ; ) {
    const rows = await database
      .selectFrom(table)
      .select(['answer_id', 'citations'])
      .where('tenant', '=', tenant)
      .where('answer_id', '>', after)
      .where(contains(database, documentId))
      .orderBy('answer_id')
      .limit(rowsAtOnce)
      .execute();
    const ids = rows.filter(({ citations }) => cites(citations, corpus, documentId)).map((row) => row.answer_id);
    if (ids.length > 0) await eraseAnswers(database, table, ids);
    count += ids.length;
    if (rows.length < rowsAtOnce) return count;
    after = rows.at(-1)?.answer_id ?? after;
  }
}

async function eraseAnswers(
  database: Database<SessionSchema>,
  table: 'answer' | 'rating',
  ids: readonly string[],
): Promise<void> {
  if (table === 'rating') {
    await database.updateTable('rating').set({ citations: noCitations }).where('answer_id', 'in', ids).execute();
    return;
  }
  await database.transaction().execute(async (trx) => {
    // A summary may quote any turn of its session.
    const sessions = trx.selectFrom('answer').select('session_id').where('answer_id', 'in', ids).$narrowType<{
      session_id: string;
    }>();
    await trx.deleteFrom('summary').where('session_id', 'in', sessions).execute();
    const empty = { answer: '', citations: noCitations };
    await trx.updateTable('answer').set(empty).where('answer_id', 'in', ids).execute();
  });
}

/** Returns the condition that the stored citations have the bytes of an id; what has them by chance is decoded. */
function contains(database: Database<SessionSchema>, documentId: string): RawBuilder<SqlBool> {
  const bytes = Buffer.from(documentId);
  return engineOf(database) === 'postgres'
    ? sql`position(${bytes}::bytea in citations) > 0`
    : sql`instr(citations, ${bytes}) > 0`;
}

function cites(citations: Uint8Array, corpus: string, documentId: string): boolean {
  const turn = fromBinary(TurnSchema, citations);
  return turn.citations.some((shown) => shown.documentId === documentId && shown.corpus === corpus);
}
