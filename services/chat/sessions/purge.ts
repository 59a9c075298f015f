import type { Logger } from '#kit/base/log.ts';
import type { Database } from '#kit/storage/database.ts';
import type { SessionSchema } from './schema.ts';

/** Rows that one purge removes of each table. */
const batchSize = 500;
/** Pause after a purge that left nothing behind, in milliseconds. */
const pauseMs = 3_600_000;

/** Creates the purge of sessions, and of answers without one, that are older than `sessionMs`. */
export function createPurge(database: Database<SessionSchema>, clock: () => number, sessionMs: number, log: Logger) {
  let nextMs = 0;
  let running: Promise<void> | undefined;

  async function purge(): Promise<void> {
    const before = clock() - sessionMs;
    const sessions = database.selectFrom('session').select('id').where('updated_at', '<=', before).limit(batchSize);
    const removed = await database.deleteFrom('session').where('id', 'in', sessions).returning('id').execute();
    const answers = database.selectFrom('answer').select('seq').where('session_id', 'is', null);
    const old = answers.where('asked_at', '<=', before).limit(batchSize);
    const removedAnswers = await database.deleteFrom('answer').where('seq', 'in', old).returning('seq').execute();
    const isMore = removed.length === batchSize || removedAnswers.length === batchSize;
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
