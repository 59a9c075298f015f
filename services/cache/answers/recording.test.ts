import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AnswerEventSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { answerEvents } from '../testing/cache.ts';
import { decodeEvents, encodeEvents, toRecording } from './recording.ts';

const eventsOf = (text: string) => answerEvents(text).map((event) => create(AnswerEventSchema, event));

test('a recording says what was streamed, whatever its length and characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }),
      fc.integer({ min: 1, max: 3000 }),
      (piece, times) => {
        const text = piece.repeat(times);
        const events = toRecording(eventsOf(text))?.events ?? [];
        const decoded = decodeEvents(encodeEvents(events));
        expect(decoded).toEqual(events);
        const frames = decoded.flatMap(({ event }) => (event.case === 'textDelta' ? [event.value.text] : []));
        expect(frames.join('')).toBe(text);
        expect(frames.length).toBeLessThanOrEqual(text.length / 32_767 + 1);
      },
    ),
    { numRuns: 30 },
  );
});

test('bytes that have changed anywhere are not read as an answer', () => {
  const bytes = encodeEvents(toRecording(eventsOf('seven days [1]'))?.events ?? []);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (position, difference) => {
      const changed = Uint8Array.from(bytes);
      changed[position] = (changed[position] as number) ^ difference;
      expect(() => decodeEvents(changed)).toThrow();
    }),
  );
  expect(() => decodeEvents(new Uint8Array(2))).toThrow();
});
