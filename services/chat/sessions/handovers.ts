import { HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import type { Database } from '#kit/storage/database.ts';
import { engineOf } from '#kit/storage/engine.ts';
import { type HandoverEvent, type HandoverStep, nextHandover, noHandover } from '../handover/state.ts';
import type { Owner } from './owner.ts';
import type { SessionSchema } from './schema.ts';

/** A session as the desk names it: by its id, within the tenant. */
export type HandoverKey = Pick<Owner, 'tenant'> & { readonly user?: string; readonly sessionId: string };

/** Creates the hand-overs of sessions. Their state changes only here, by `nextHandover`, under a lock of the session. */
export function createHandovers(database: Database<SessionSchema>, clock: () => number) {
  const isShared = engineOf(database) === 'postgres';
  return {
    /** Returns how far the hand-over of a session is. */
    async handover({ tenant, user }: Owner, sessionId: string): Promise<HandoverStep> {
      const row = await database
        .selectFrom('handover')
        .innerJoin('session', 'session.id', 'handover.session_id')
        .where('session.id', '=', sessionId)
        .where('session.tenant', '=', tenant)
        .where('session.user', '=', user)
        .select(['handover.state', 'handover.reason'])
        .executeTakeFirst();
      return row ?? noHandover;
    },

    /** Applies an event; resolves to the hand-over after it, or to `undefined` if there is no such session. */
    async moveHandover(
      { tenant, user, sessionId }: HandoverKey,
      event: HandoverEvent,
    ): Promise<HandoverStep | undefined> {
      return database.transaction().execute(async (transaction) => {
        const session = await transaction
          .selectFrom('session')
          .select('id')
          .where('id', '=', sessionId)
          .where('tenant', '=', tenant)
          .$if(user !== undefined, (query) => query.where('user', '=', user ?? ''))
          .$if(isShared, (query) => query.forUpdate())
          .executeTakeFirst();
        if (session === undefined) return undefined;
        const known = await transaction
          .selectFrom('handover')
          .select(['state', 'reason'])
          .where('session_id', '=', sessionId)
          .executeTakeFirst();
        const before: HandoverStep = known ?? noHandover;
        const step = nextHandover(before, event);
        if (step === before || step.state === HandoverState.UNSPECIFIED) return step;
        const row = { state: step.state, reason: step.reason, changed_at: clock() };
        await transaction
          .insertInto('handover')
          .values({ session_id: sessionId, ...row })
          .onConflict((conflict) => conflict.column('session_id').doUpdateSet(row))
          .execute();
        return step;
      });
    },
  };
}
