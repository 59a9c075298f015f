import type { Database } from '#kit/storage/database.ts';
import { expireInbox } from '../handover/inbox/erase.ts';
import type { SessionSchema } from '../sessions/schema.ts';
import { isNotHeld } from './holds.ts';

/** Rows that one statement deletes. */
const rowsAtOnce = 500;

/** What is too old of a tenant, in milliseconds since 1970; `undefined`: nothing. */
export interface ChatExpiry {
  tenant: string;
  sessionsBefore: number | undefined;
  feedbackBefore: number | undefined;
}

/** Creates the retention of a tenant, which may be shorter than that of all. */
export function createExpiry(database: Database<SessionSchema>) {
  return {
    /** Deletes sessions, answers without one, and feedback that are too old and not held; returns the counts. */
    async expire({ tenant, sessionsBefore, feedbackBefore }: ChatExpiry) {
      let sessionCount = 0;
      if (sessionsBefore !== undefined) {
        await expireInbox(database, tenant, sessionsBefore);
        sessionCount += await inParts(async () => {
          const old = database
            .selectFrom('session')
            .select('id')
            .where('tenant', '=', tenant)
            .where('updated_at', '<', sessionsBefore)
            .where(isNotHeld('session'))
            .limit(rowsAtOnce);
          return (await database.deleteFrom('session').where('id', 'in', old).returning('id').execute()).length;
        });
        sessionCount += await inParts(async () => {
          const old = database
            .selectFrom('answer')
            .select('seq')
            .where('tenant', '=', tenant)
            .where('session_id', 'is', null)
            .where('asked_at', '<', sessionsBefore)
            .where(isNotHeld('answer'))
            .limit(rowsAtOnce);
          return (await database.deleteFrom('answer').where('seq', 'in', old).returning('seq').execute()).length;
        });
      }
      if (feedbackBefore === undefined) return { sessionCount, feedbackCount: 0 };
      const feedbackCount = await inParts(async () => {
        const old = database
          .selectFrom('rating')
          .select('answer_id')
          .where('tenant', '=', tenant)
          .where('submitted_at', '<', feedbackBefore)
          .where(isNotHeld('rating'))
          .limit(rowsAtOnce);
        const removed = database.deleteFrom('rating').where('answer_id', 'in', old).returning('answer_id');
        return (await removed.execute()).length;
      });
      return { sessionCount, feedbackCount };
    },
  };
}

async function inParts(remove: () => Promise<number>): Promise<number> {
  for (let count = 0; ; ) {
    const removed = await remove();
    count += removed;
    if (removed < rowsAtOnce) return count;
  }
}
