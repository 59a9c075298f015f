import type { Hit } from '#gen/ragmesh/cache/v1/cache_pb.ts';
import { type AnswerEvent, AnswerOutcome, type CacheLayer } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import type { CallContext } from '#kit/rpc/context.ts';
import { shareMessage } from '#kit/rpc/messages/shared-message.ts';
import { type AskEvent, stageDegraded } from '../answer/events.ts';
import { describeFailure, rethrowIfFinal } from '../answer/failure.ts';
import { respond } from '../answer/state.ts';
import type { Found } from './lookup.ts';

/** How a replay ended: with the whole answer, or without it and with a lease if the cache granted one. */
export type Replayed = { kind: 'whole' } | { kind: 'interrupted'; leaseId: string | undefined };

/** Replays an answer from the cache, after the events that it was found; events that are ready together come as one list. */
export async function* replay(
  { hit, events, layer }: Found & { kind: 'answer' },
  found: readonly AskEvent[],
  context: CallContext,
): AsyncGenerator<readonly AskEvent[], Replayed> {
  let leaseId: string | undefined;
  let isWhole = false;
  const isEnd = ({ event }: AnswerEvent) => event.case === 'done' && event.value.outcome !== AnswerOutcome.UNSPECIFIED;
  try {
    if (hit !== undefined && hit.events.length > 0) {
      isWhole = hit.events.some(isEnd);
      yield [...found, ...eventsOf(hit)];
    } else yield found;
    for (;;) {
      const result = await events.next();
      if (result.done === true) break;
      const { event } = result.value;
      if (event.case === 'lease') leaseId = event.value.leaseId;
      if (event.case !== 'answer') continue;
      isWhole ||= isEnd(event.value);
      const replayed = toAskEvent(event.value, layer);
      if (replayed !== undefined) yield [replayed];
    }
  } catch (error) {
    rethrowIfFinal(error, context);
    yield [stageDegraded(Stage.CACHE, describeFailure(error), 'generated the answer instead')];
  } finally {
    await events.return?.();
  }
  return isWhole ? { kind: 'whole' } : { kind: 'interrupted', leaseId };
}

// In one process the cache returns the same message each time, so its events and their bytes are made once.
const known = new WeakMap<Hit, AskEvent[]>();

function eventsOf(hit: Hit): AskEvent[] {
  let events = known.get(hit);
  if (events === undefined) {
    events = hit.events.flatMap((answer) => toAskEvent(answer, hit.layer) ?? []).map(shared);
    known.set(hit, events);
  }
  return events;
}

function shared(event: AskEvent): AskEvent {
  switch (event.case) {
    case 'sources':
    case 'textDelta':
    case 'citation':
    case 'reset':
    case 'usage':
    case 'verdicts':
      return { ...event, response: shareMessage(respond(event)) };
    default:
      return event;
  }
}

function toAskEvent({ event }: AnswerEvent, layer: CacheLayer): AskEvent | undefined {
  if (event.case === undefined) return undefined;
  // The claims are in `done`.
  if (event.case === 'verdicts') return { ...event, claims: [] };
  return event.case === 'done' ? { case: 'replayed', value: { done: event.value, layer } } : event;
}
