import type { Logger } from '#kit/base/log.ts';
import { sleep } from '#kit/base/streams.ts';
import { within } from '#kit/base/within.ts';
import type { PastTurn } from '../../answer/turn.ts';
import type { Owner } from '../owner.ts';

/** Longest wait for an answer that was stopped to be written, in milliseconds. */
const maxWaitMs = 2000;
/** Time between two looks for answers that other processes want stopped, in milliseconds. */
const lookEveryMs = 250;

/** An answer in flight in a session. */
export interface OpenAsk {
  owner: Owner;
  answerId: string;
  /** Whether it was stopped, or its caller has left. */
  isStopped(): boolean;
  /** Ends it for its user. Does nothing if its text is complete. */
  stop(): void;
  /** The question, and what was shown so far. */
  turn(): PastTurn;
}

/** Sessions with answers in flight. */
export type OpenSessions = ReturnType<typeof createOpenSessions>;

/**
 * Creates the list of sessions with answers in flight. A turn is written when its answer ends, but the client has the session's id from
 * the first event on: if it stops an answer, or does not wait for it, and asks again, it must find the session with what was shown.
 * `stopsWanted`: the answers of this process that another one wants stopped.
 */
export function createOpenSessions(stopsWanted: () => Promise<readonly string[]>, log: Logger) {
  const open = new Map<string, Map<OpenAsk, Promise<void>>>();
  let isWatching = false;

  const asksOf = ({ tenant, user }: Owner, sessionId: string) =>
    [...(open.get(sessionId) ?? [])].filter(([{ owner }]) => owner.tenant === tenant && owner.user === user);

  // Runs while there are answers.
  const watch = async () => {
    isWatching = true;
    for (;;) {
      await sleep(lookEveryMs);
      if (open.size === 0) break;
      try {
        const wanted = new Set(await stopsWanted());
        if (wanted.size === 0) continue;
        for (const asks of open.values()) for (const ask of asks.keys()) if (wanted.has(ask.answerId)) ask.stop();
      } catch (error) {
        log.debug({ event: 'stops_unknown', err: error }, 'stopped answers not read');
      }
    }
    isWatching = false;
  };

  return {
    /** Adds an answer; returns the function to call when the answer was written, or will never be. */
    enter(sessionId: string, ask: OpenAsk): () => void {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      const asks = open.get(sessionId) ?? new Map<OpenAsk, Promise<void>>();
      open.set(sessionId, asks.set(ask, closed));
      if (!isWatching) void watch();
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
      const asks = asksOf(owner, sessionId);
      if (asks.length === 0) return undefined;
      const stopped = asks.filter(([ask]) => ask.isStopped());
      if (stopped.length > 0)
        await within(() => Promise.all(stopped.map(([, closed]) => closed)), { timeoutMs: maxWaitMs }).catch(() => {});
      const left = open.get(sessionId);
      return asks.filter(([ask]) => left?.has(ask)).map(([ask]) => ask.turn());
    },

    /** Ends an answer of the owner, and waits until it was written. Returns whether it is one of this process. */
    async stop(owner: Owner, sessionId: string, answerId: string): Promise<boolean> {
      const found = asksOf(owner, sessionId).find(([ask]) => ask.answerId === answerId);
      if (found === undefined) return false;
      const [ask, closed] = found;
      ask.stop();
      await within(() => closed, { timeoutMs: maxWaitMs }).catch(() => {});
      return true;
    },
  };
}
