import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HandoverReason, HandoverState } from '#gen/ragmesh/chat/v1/conversation_pb.ts';
import { type HandoverEvent, nextHandover, noHandover } from './state.ts';

const event: fc.Arbitrary<HandoverEvent> = fc.oneof(
  fc.constant<HandoverEvent>({ case: 'offer', reason: HandoverReason.COMPLAINT }),
  fc.constantFrom<HandoverEvent>({ case: 'request' }, { case: 'join' }, { case: 'return' }),
);
const reach = (events: readonly HandoverEvent[]) => events.reduce(nextHandover, noHandover);

test('an offer that is accepted keeps its reason', () => {
  const steps = reach([{ case: 'offer', reason: HandoverReason.ACCOUNT }, { case: 'request' }]);
  expect(steps).toEqual({ state: HandoverState.WAITING, reason: HandoverReason.ACCOUNT });
});

test('a caller who waits or is with a person is not sent back by what the assistant does', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), fc.array(event, { maxLength: 30 }), (before, after) => {
      const open = [HandoverState.WAITING, HandoverState.WITH_PERSON];
      const waiting = nextHandover(reach(before), { case: 'request' });
      expect(open).toContain(waiting.state);
      const own = after.filter((happened) => happened.case === 'offer' || happened.case === 'request');
      expect(own.reduce(nextHandover, waiting)).toEqual(waiting);
    }),
  );
});

test('only the caller asks for a person, and only a request leads to one', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const wasRequested = events.some((happened) => happened.case === 'request');
      const { state } = reach(events);
      if (!wasRequested) expect([HandoverState.UNSPECIFIED, HandoverState.OFFERED]).toContain(state);
      // A repeated event changes nothing: deliveries may repeat.
      const last = events.at(-1);
      if (last !== undefined) expect(nextHandover(reach(events), last)).toEqual(reach(events));
    }),
  );
});
