import type { AnswerEvent } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type CatchUp, createCatchUp, shownAfter } from '#kit/answers/catch-up.ts';
import { asCached, coalesce } from '../answers/recording.ts';
import type { Flight } from './flight.ts';

/** What one follower was relayed, through every change of who leads. */
export interface Followed {
  /**
   * The events of a flight that the follower has not seen, as they come, text that is ready together in one. Resolves to whether the
   * flight has finished; where it has not, give the next one: what was shown already is not shown again.
   */
  relay(flight: Flight, signal: AbortSignal): AsyncGenerator<AnswerEvent, boolean>;
}

/** Begins to follow. */
export function createFollowed(): Followed {
  let before: { flight: Flight; count: number } | undefined;
  /** What was shown, once a second flight has begun; until then it is what the first one has said so far. */
  let shown: AnswerEvent[] | undefined;
  let catchUp: CatchUp | undefined;

  return {
    async *relay(flight, signal) {
      if (before !== undefined) {
        shown ??= before.flight.events.slice(0, before.count);
        catchUp = createCatchUp(shownAfter(shown), 'the generation that was followed broke off');
      }
      const now = { flight, count: 0 };
      before = now;
      const left = Promise.withResolvers<void>();
      const onAbort = () => left.resolve();
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        for (;;) {
          const ready = flight.events.slice(now.count);
          now.count += ready.length;
          if (ready.length > 0) {
            const events = ready.length > 1 ? coalesce(ready) : ready;
            const news = catchUp === undefined ? events : events.flatMap((event) => catchUp?.take(event) ?? []);
            shown?.push(...news);
            for (const event of news) yield asCached(event);
          } else if (flight.state === 'finished') return true;
          else if (flight.state === 'abandoned') return false;
          else {
            signal.throwIfAborted();
            await Promise.race([flight.changed(), left.promise]);
          }
        }
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}
