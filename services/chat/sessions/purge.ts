import type { Logger } from '#kit/base/log.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { isNotHeld } from '../erasure/holds.ts';
import type { OpenAsks } from './in-flight/open-asks.ts';
import type { SessionSchema } from './schema.ts';

/** Rows that one purge removes of each table. */
const batchSize = 500;
/** Pause after a purge that left nothing behind, in milliseconds. */
const pauseMs = 3_600_000;

/** What a purge works with. */
export interface PurgeDeps {
  database: Database<SessionSchema>;
  openAsks: OpenAsks | undefined;
  clock: () => number;
  sessionMs: number;
  feedbackMs: number;
  log: Logger;
}

/**
 * Creates the purge of sessions, and of answers without one, that are older than `sessionMs`, and of feedback older than `feedbackMs`.
 * Several replicas may purge concurrently: each skips the rows that another one is removing.
 */
export function createPurge({ database, openAsks, clock, sessionMs, feedbackMs, log }: PurgeDeps) {
  const isShared = engineOf(database) === 'postgres';
  let nextMs = 0;
  let running: Promise<void> | undefined;

  async function purge(): Promise<void> {
    const before = clock() - sessionMs;
    const sessions = database
      .selectFrom('session')
      .select('id')
      .where('updated_at', '<=', before)
      .where(isNotHeld('session'))
      .limit(batchSize)
      .$if(isShared, (query) => query.forUpdate().skipLocked());
    const removed = await database.deleteFrom('session').where('id', 'in', sessions).returning('id').execute();
    const answers = database.selectFrom('answer').select('seq').where('session_id', 'is', null);
    const old = answers
      .where('asked_at', '<=', before)
      .where(isNotHeld('answer'))
      .limit(batchSize)
      .$if(isShared, (query) => query.forUpdate().skipLocked());
    const removedAnswers = await database.deleteFrom('answer').where('seq', 'in', old).returning('seq').execute();
    const ratings = database
      .selectFrom('rating')
      .select('answer_id')
      .where('submitted_at', '<=', clock() - feedbackMs)
      .where(isNotHeld('rating'))
      .limit(batchSize)
      .$if(isShared, (query) => query.forUpdate().skipLocked());
    const removedRatings = await database
      .deleteFrom('rating')
      .where('answer_id', 'in', ratings)
      .returning('answer_id')
      .execute();
    await openAsks?.purge();
    const isMore = [removed, removedAnswers, removedRatings].some(({ length }) => length === batchSize);
    nextMs = isMore ? clock() : clock() + pauseMs;
    if (removed.length > 0) {
      log.info({ event: 'sessions_purged', session_count: removed.length }, 'old sessions purged');
    }
  }

  return {
    /** Starts a purge in the background if one is due. */
    start(): void {
      if (clock() < nextMs) return;
      nextMs = clock() + pauseMs;
      running = purge().catch((error: unknown) =>
        log.error({ err: error, event: 'session_purge_failed' }, 'session purge failed'),
      );
    },
    /** Resolves when no purge runs. */
    idle: async (): Promise<void> => running,
  };
}
