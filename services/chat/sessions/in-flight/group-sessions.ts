import { sleep } from '#kit/base/streams.ts';
import type { ConnectedPort } from '#kit/rpc/pipe/ports.ts';
import type { PastTurn } from '../../answer/turn.ts';
import type { Owner } from '../owner.ts';
import type { Sessions } from '../sessions.ts';
import { lostTurn, type OpeningAsk } from './open-asks.ts';

/** A question that a process of the group is answering. */
interface GroupAsk extends OpeningAsk {
  readonly owner: Owner;
  /** The process. */
  readonly by: object;
  /** Whether its user wants it stopped. */
  isStopped: boolean;
}

/** Longest wait for answers that other processes are about to write, in milliseconds, and the time between two looks. */
const maxWaitMs = 1000;
const lookEveryMs = 50;
/** Longest wait for another process to end an answer, in milliseconds. */
const maxStopMs = 3000;

/**
 * Returns what connects the processes of a group to the sessions of one of them. The client has the session's id from the first event on,
 * and its next question may reach another process: that one finds the session, and the questions in flight.
 */
export function createGroupSessions(sessions: Sessions): () => ConnectedPort<Sessions> {
  // By answer. Bounded by the calls that run.
  const open = new Map<string, GroupAsk>();
  return () => {
    const by = {};
    const isOwn = (ask: GroupAsk, { tenant, user }: Owner, sessionId: string) =>
      ask.sessionId === sessionId && ask.owner.tenant === tenant && ask.owner.user === user;
    const ofOthers = (owner: Owner, sessionId: string) =>
      [...open.values()].filter((ask) => ask.by !== by && isOwn(ask, owner, sessionId));
    const port: Sessions = {
      ...sessions,
      async open(owner, ask) {
        open.set(ask.answerId, { ...ask, owner, by, isStopped: false });
        if (!ask.isNewSession) return true;
        const { sessionId, answerId, question, askedAtMs } = ask;
        const { tenant, user } = owner;
        const session = { tenant, user, sessionId, mayCreate: true, turn: undefined };
        return sessions.record({ ...session, answerId, question, askedAtMs }).then(
          () => true,
          // The session is created when the turn is written.
          () => false,
        );
      },
      async turnsOfOthers(owner, sessionId, signal) {
        const deadline = performance.now() + maxWaitMs;
        for (;;) {
          const asks = ofOthers(owner, sessionId);
          if (asks.length === 0) return [];
          if (performance.now() > deadline) return asks.map(({ question }): PastTurn => ({ question, answer: '' }));
          await sleep(lookEveryMs, signal);
        }
      },
      stopsWanted: async () =>
        [...open.values()].filter((ask) => ask.by === by && ask.isStopped).map(({ answerId }) => answerId),
      async stop(owner, sessionId, answerId) {
        const ask = open.get(answerId);
        if (ask === undefined || !isOwn(ask, owner, sessionId)) return;
        ask.isStopped = true;
        const deadline = performance.now() + maxStopMs;
        while (open.has(answerId) && performance.now() < deadline) await sleep(lookEveryMs);
      },
      async record(write) {
        try {
          await sessions.record(write);
        } finally {
          open.delete(write.answerId);
        }
      },
    };
    const close = () => {
      for (const [answerId, ask] of open) {
        if (ask.by !== by) continue;
        open.delete(answerId);
        // Fails if the store closes with the process: then no one is there to read the turn.
        sessions.record(lostTurn(ask.owner, ask)).catch(() => {});
      }
    };
    return { port, close };
  };
}
