import { sleep } from '#kit/base/streams.ts';
import type { ConnectedPort } from '#kit/rpc/pipe/ports.ts';
import type { PastTurn } from '../answer/turn.ts';
import type { OpeningAsk } from './open-asks.ts';
import type { Owner } from './owner.ts';
import type { Sessions } from './sessions.ts';

/** A question that a process of the group is answering. */
interface GroupAsk extends OpeningAsk {
  readonly owner: Owner;
  /** The process. */
  readonly by: object;
}

/** Longest wait for answers that other processes are about to write, in milliseconds, and the time between two looks. */
const maxWaitMs = 1000;
const lookEveryMs = 50;

/**
 * Returns what connects the processes of a group to the sessions of one of them. The client has the session's id from the first event on,
 * and its next question may reach another process: that one finds the session, and the questions in flight.
 */
export function createGroupSessions(sessions: Sessions): () => ConnectedPort<Sessions> {
  // By answer. Bounded by the calls that run.
  const open = new Map<string, GroupAsk>();
  return () => {
    const by = {};
    const ofOthers = ({ tenant, user }: Owner, sessionId: string) =>
      [...open.values()].filter(
        (ask) => ask.by !== by && ask.sessionId === sessionId && ask.owner.tenant === tenant && ask.owner.user === user,
      );
    const port: Sessions = {
      ...sessions,
      async open(owner, ask) {
        open.set(ask.answerId, { ...ask, owner, by });
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
      async record(write) {
        try {
          await sessions.record(write);
        } finally {
          open.delete(write.answerId);
        }
      },
    };
    const close = () => {
      for (const [answerId, ask] of open) if (ask.by === by) open.delete(answerId);
    };
    return { port, close };
  };
}
