import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type CatchUp, createCatchUp, shownAfter } from '#kit/answers/catch-up.ts';
import { within } from '#kit/base/within.ts';
import { asCached, coalesce } from '../answers/recording.ts';
import type { Flight } from './flight.ts';

/** What one follower received, through every change of the leader. */
export interface Followed {
  /**
   * Yields the events of a flight that the follower has not seen, as they come; text that is ready together is one event. Returns whether
   * the flight finished. If it did not, relay the next flight: what was shown already is not shown again.
   */
  relay(flight: Flight, signal: AbortSignal): AsyncGenerator<AnswerEvent, boolean>;
}

/** Creates the state of a follower. */
export function createFollowed(): Followed {
  let current: { flight: Flight; count: number } | undefined;
  /** What was shown, once a second flight has begun; until then it is what the first one said so far. */
  let shown: AnswerEvent[] | undefined;
  let catchUp: CatchUp | undefined;

  /** Begins with a flight; from the second one on, its events are compared with what was shown. */
  function begin(flight: Flight): { flight: Flight; count: number } {
    if (current !== undefined) {
      shown ??= current.flight.events.slice(0, current.count);
      catchUp = createCatchUp(shownAfter(shown), 'the generation that was followed ended early');
    }
    current = { flight, count: 0 };
    return current;
  }

  /** Returns what of the events the follower has not seen. */
  function unseen(ready: readonly AnswerEvent[]): readonly AnswerEvent[] {
    const events = ready.length > 1 ? coalesce(ready) : ready;
    const fresh = catchUp === undefined ? events : events.flatMap((event) => catchUp?.take(event) ?? []);
    shown?.push(...fresh);
    return fresh;
  }

  return {
    async *relay(flight, signal) {
      const position = begin(flight);
      for (;;) {
        const ready = flight.events.slice(position.count);
        position.count += ready.length;
        for (const event of unseen(ready)) yield asCached(event);
        if (ready.length > 0) continue;
        if (flight.isOver) return flight.state === 'finished';
        await within(() => flight.changed(), { signals: [signal] });
      }
    },
  };
}
