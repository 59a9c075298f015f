import { within } from '#kit/base/within.ts';
import type { PastTurn } from '../prompt/prompt.ts';
import type { Owner } from './sessions.ts';

/** Longest wait for an answer that was stopped to be written down, in milliseconds. */
const maxWaitMs = 2000;

/** An answer under way in a session. */
export interface OpenAsk {
  owner: Owner;
  /** Whether its caller has left. */
  isStopped(): boolean;
  /** The question, and what was shown so far. */
  turn(): PastTurn;
}

/** Sessions in which answers are under way. */
export type OpenSessions = ReturnType<typeof createOpenSessions>;

/**
 * Keeps the sessions in which answers are under way. A turn is written when its answer ends, yet the session's id is known from
 * the first event on: who stops an answer, or does not wait for it, and asks on must find the session with what was shown.
 */
export function createOpenSessions() {
  const open = new Map<string, Map<OpenAsk, Promise<void>>>();
  return {
    /** An answer begins; the result is to be called when it was written down, or will never be. */
    enter(sessionId: string, ask: OpenAsk): () => void {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const asks = open.get(sessionId) ?? new Map<OpenAsk, Promise<void>>();
      open.set(sessionId, asks.set(ask, closed));
      return () => {
        asks.delete(ask);
        if (asks.size === 0 && open.get(sessionId) === asks) open.delete(sessionId);
        resolve();
      };
    },

    /**
     * The owner's turns in the session that are not written yet; `undefined` where there are no answers under way. Answers that
     * were stopped are waited for: they are about to be written.
     */
    async turns(owner: Owner, sessionId: string): Promise<PastTurn[] | undefined> {
      const isOwn = (ask: OpenAsk) => ask.owner.tenant === owner.tenant && ask.owner.user === owner.user;
      const asks = [...(open.get(sessionId) ?? [])].filter(([ask]) => isOwn(ask));
      if (asks.length === 0) return undefined;
      const stopped = asks.filter(([ask]) => ask.isStopped());
      if (stopped.length > 0)
        await within(() => Promise.all(stopped.map(([, closed]) => closed)), { timeoutMs: maxWaitMs }).catch(() => {});
      const left = open.get(sessionId);
      return asks.filter(([ask]) => left?.has(ask)).map(([ask]) => ask.turn());
    },
  };
}
