import type { Logger } from '#kit/base/log.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import type { PastTurn } from '../answer/turn.ts';
import { createErasures } from '../erasure/erase.ts';
import { createExpiry } from '../erasure/expire.ts';
import { createExports } from '../erasure/export.ts';
import { createHolds, requireNoHold } from '../erasure/holds.ts';
import { createCuratedStore } from '../evidence/curated/store.ts';
import { createInboxWriter } from '../handover/inbox/add.ts';
import { createTopics } from '../handover/inbox/topics.ts';
import { createConversations } from './conversations.ts';
import { createFeedback } from './feedback.ts';
import { createHandovers } from './handovers.ts';
import { createOpenAsks, lostTurn, type OpeningAsk } from './in-flight/open-asks.ts';
import type { Owner } from './owner.ts';
import { createProposals } from './proposals.ts';
import { createPurge } from './purge.ts';
import { createSessionReads } from './read.ts';
import type { SessionSchema } from './schema.ts';
import { createSummaries } from './summaries.ts';
import { createTurnWriter, type TurnWrite } from './writer.ts';

/** The sessions of all users; each method works for one owner. */
export type Sessions = ReturnType<typeof createSessions>;

/** Creates the store. `replica`: a name of this process, unique among those that share the store. A session is hidden `sessionMs` after its last question, and purged some time later. */
export function createSessions(options: {
  database: Database<SessionSchema>;
  clock: () => number;
  sessionMs: number;
  /** Time that feedback is kept. */
  feedbackMs: number;
  replica: string;
  newId: () => string;
  log: Logger;
}) {
  const { database, clock, sessionMs, feedbackMs, replica, newId, log } = options;
  // SQLite has one process, whose memory knows what is in flight.
  const openAsks = engineOf(database) === 'postgres' ? createOpenAsks(database, clock, replica) : undefined;
  const writer = createTurnWriter(database);
  const purge = createPurge({ database, openAsks, clock, sessionMs, feedbackMs, log });
  const { putCurated, removeCurated, curatedSince, curatedVersions } = createCuratedStore(database, clock);
  return {
    ...createSessionReads(database, () => clock() - sessionMs),
    ...createConversations(database, () => clock() - sessionMs),
    ...createFeedback(database, clock),
    ...{ putCurated, removeCurated, curatedSince, curatedVersions },
    ...createInboxWriter(database, newId),
    ...createTopics(database, clock),
    ...createHandovers(database, clock),
    ...createProposals(database, clock),
    ...createSummaries(database),
    ...createErasures(database),
    ...createExpiry(database),
    ...createHolds(database),
    ...createExports(database),

    /**
     * Makes a question in flight known to other replicas, with its session. Returns whether the session is in the store now; a store that
     * is away is one without it, which is created when the turn is written.
     */
    async open(owner: Owner, ask: OpeningAsk): Promise<boolean> {
      if (openAsks === undefined) return !ask.isNewSession;
      try {
        await openAsks.open(owner, ask);
        return true;
      } catch (error) {
        log.warn({ err: error, event: 'session_open_failed', answer_id: ask.answerId }, 'session not opened');
        return !ask.isNewSession;
      }
    },

    /** Returns the owner's questions of a session that other replicas are answering, oldest first. Waits a moment for those that end. */
    async turnsOfOthers(owner: Owner, sessionId: string, signal: AbortSignal): Promise<PastTurn[]> {
      return (await openAsks?.turnsOfOthers(owner, sessionId, signal)) ?? [];
    },

    /** Returns the answers of this process that another one wants stopped. */
    async stopsWanted(): Promise<readonly string[]> {
      return (await openAsks?.stopsWanted()) ?? [];
    },

    /** Ends an answer of the owner that another replica writes; that of a replica that has ended gets a turn that was interrupted. */
    async stop(owner: Owner, sessionId: string, answerId: string): Promise<void> {
      const lost = await openAsks?.stop(owner, sessionId, answerId);
      if (lost !== undefined) await writer.append(lostTurn(owner, { ...lost, sessionId, answerId }));
    },

    /** Writes a turn, or only that its session exists; resolves when it is durable. */
    async record(write: TurnWrite): Promise<void> {
      await writer.append(write);
      purge.start();
    },

    /** Deletes a session with its turns, but not the feedback on them; resolves to whether the owner had it. */
    async remove({ tenant, user }: Owner, sessionId: string): Promise<boolean> {
      await requireNoHold(database, { tenant, user });
      const removal = database.deleteFrom('session').where('id', '=', sessionId);
      const rows = await removal.where('tenant', '=', tenant).where('user', '=', user).returning('id').execute();
      return rows.length > 0;
    },

    /** Waits for the writes that have begun. */
    async close(): Promise<void> {
      await writer.idle();
      await purge.idle();
    },
  };
}
