import { within } from '#kit/base/within.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { Owner } from './owner.ts';

/** Longest wait for an answer that was stopped to be written, in milliseconds. */
const maxWaitMs = 2000;

/** An answer in flight in a session. */
export interface OpenAsk {
  owner: Owner;
  /** Whether its caller has left. */
  isStopped(): boolean;
  /** The question, and what was shown so far. */
  turn(): PastTurn;
}

/** Sessions with answers in flight. */
export type OpenSessions = ReturnType<typeof createOpenSessions>;

/**
 * Creates the list of sessions with answers in flight. A turn is written when its answer ends, but the client has the session's id from
 * the first event on: if it stops an answer, or does not wait for it, and asks again, it must find the session with what was shown.
 */
export function createOpenSessions() {
  const open = new Map<string, Map<OpenAsk, Promise<void>>>();
  return {
    /** Adds an answer; returns the function to call when the answer was written, or will never be. */
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
     * Returns the owner's turns in the session that are not written yet; `undefined` if it has no answer in flight. Waits for answers
     * that were stopped, which are about to be written.
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
