import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AnswerEvent, AnswerEventSchema, AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { createCatchUp, shownAfter } from './catch-up.ts';

type Init = NonNullable<Parameters<typeof create<typeof AnswerEventSchema>>[1]>['event'];
const eventOf = (event: Init): AnswerEvent => create(AnswerEventSchema, { event });
const sources = (id: string) => eventOf({ case: 'sources', value: { passages: [{ chunkId: id, documentId: id }] } });
const text = (value: string) => eventOf({ case: 'textDelta', value: { text: value } });
const citation = (marker: number) => eventOf({ case: 'citation', value: { marker } });
const done = eventOf({ case: 'done', value: { outcome: AnswerOutcome.ANSWERED } });
const kindsOf = (events: readonly AnswerEvent[]) => events.map(({ event }) => event.case);

function leadOver(before: readonly AnswerEvent[], after: readonly AnswerEvent[]): AnswerEvent[] {
  const catchUp = createCatchUp(shownAfter(before), 'ended early');
  return after.flatMap((event) => catchUp.take(event));
}

test('text that continues what was shown is not shown twice', () => {
  const added = leadOver(
    [sources('a'), text('Seven'), citation(1)],
    [...[sources('a'), text('Sev'), text('en da'), citation(1), text('ys'), citation(2), done]],
  );
  expect(kindsOf(added)).toEqual(['textDelta', 'textDelta', 'citation', 'done']);
  expect(added[0]?.event.value).toMatchObject({ text: ' da' });
});

test('text that differs, or ends sooner, invalidates what was shown', () => {
  const before = [sources('a'), text('Seven'), citation(1)];
  expect(kindsOf(leadOver(before, [sources('a'), text('Se'), text('t'), citation(1), done]))).toEqual([
    ...['reset', 'sources', 'textDelta', 'citation', 'done'],
  ]);
  expect(kindsOf(leadOver(before, [sources('a'), text('Sev'), done]))).toEqual([
    ...['reset', 'sources', 'textDelta', 'done'],
  ]);
  expect(kindsOf(leadOver(before, [sources('b'), text('Seven'), done]))).toEqual([
    ...['reset', 'sources', 'textDelta', 'done'],
  ]);
});

test('whatever was shown, what is shown in the end is what the new generation says', () => {
  const word = fc.constantFrom('a', 'b', 'ab', 'ba');
  const said = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: word.map(text) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }).map(citation) },
      { weight: 1, arbitrary: fc.constant(eventOf({ case: 'reset', value: { reason: 'again' } })) },
    ),
    { maxLength: 12 },
  );
  const first = fc.constantFrom('x', 'x', 'y').map(sources);
  fc.assert(
    fc.property(first, said, first, said, (oneSources, one, otherSources, other) => {
      const before = [oneSources, ...one];
      const after = [otherSources, ...other, done];
      const shown = shownAfter([...before, ...leadOver(before, after)]);
      const wanted = shownAfter(after);
      expect(shown.text).toBe(wanted.text);
      expect(shown.sources).toEqual(wanted.sources);
      for (const marker of wanted.markers) expect(shown.markers.has(marker)).toBe(true);
      expect(kindsOf(leadOver(before, after)).at(-1)).toBe('done');
    }),
    { numRuns: 2000 },
  );
});
