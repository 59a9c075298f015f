import type { Owner } from './sessions.ts';

/** Longest wait for an answer that was stopped to be written down, in milliseconds. */
const maxWaitMs = 2000;

/** An answer under way in a session. */
interface OpenAsk {
  owner: Owner;
  /** Whether its caller has left. */
  isStopped: () => boolean;
  closed: Promise<void>;
}

/**
 * Sessions in which answers are under way. A session is written with its first turn, yet its id is known from the first event on:
 * who stops an answer and asks on at once must find the session, with what was shown.
 */
export function createOpenSessions() {
  const open = new Map<string, Set<OpenAsk>>();
  const ownedBy = (owner: Owner, sessionId: string) =>
    [...(open.get(sessionId) ?? [])].filter(
      (ask) => ask.owner.tenant === owner.tenant && ask.owner.user === owner.user,
    );
  return {
    /** An answer begins; the result says that it is written down, or will never be. */
    enter(owner: Owner, sessionId: string, isStopped: () => boolean): () => void {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const ask = { owner, isStopped, closed };
      const asks = open.get(sessionId) ?? new Set();
      open.set(sessionId, asks.add(ask));
      return () => {
        asks.delete(ask);
        if (asks.size === 0 && open.get(sessionId) === asks) open.delete(sessionId);
        resolve();
      };
    },

    /** Whether the owner has answers under way in the session. Waits for those that were stopped. */
    async isOpen(owner: Owner, sessionId: string): Promise<boolean> {
      const asks = ownedBy(owner, sessionId);
      if (asks.length === 0) return false;
      const stopped = asks.filter(({ isStopped }) => isStopped()).map(({ closed }) => closed);
      if (stopped.length > 0) {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, maxWaitMs);
        });
        await Promise.race([Promise.all(stopped), late]);
        clearTimeout(timer);
      }
      return true;
    },
  };
}

/** Sessions in which answers are under way. */
export type OpenSessions = ReturnType<typeof createOpenSessions>;
