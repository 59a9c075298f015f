import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createServerSentEventReader, type ServerSentEvent } from './sse.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const read = (...pieces: Uint8Array[]): ServerSentEvent[] => {
  const events: ServerSentEvent[] = [];
  const reader = createServerSentEventReader({ onEvent: (event) => events.push(event) });
  for (const piece of pieces) reader.push(piece);
  reader.end();
  return events;
};

test.each([
  ['line feeds', 'data: a\n\ndata: b\n\n', ['a', 'b']],
  ['carriage returns with line feeds', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
  ['carriage returns alone', 'data: a\r\rdata: b\r\r', ['a', 'b']],
  ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
  ['comments and pings', ': ping\n\n:\ndata: a\n: more\n\n', ['a']],
  ['several lines of data', 'data: a\ndata\ndata:  b\n\n', ['a\n\n b']],
  ['no space after the colon', 'data:a\n\n', ['a']],
  ['fields of no interest', 'id: 7\nretry: 10\nwhatever\ndata: a\n\n', ['a']],
  ['an event without data', 'event: ping\n\ndata: a\n\n', ['a']],
  ['no blank line at the end', 'data: a\n\ndata: b', ['a', 'b']],
  ['nothing', '', []],
])('server-sent events are read by the standard: %s', (_, text, data) => {
  expect(read(bytesOf(text)).map((event) => event.data)).toEqual(data);
});

test('the name of an event is its own, and not that of the next one', () => {
  expect(read(bytesOf('event: error\ndata: a\n\ndata: b\n\n'))).toEqual([
    { event: 'error', data: 'a' },
    { event: '', data: 'b' },
  ]);
});

test('the same bytes cut anywhere give the same events', () => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => `data: ${text.replace(/[\r\n]/g, '')}`),
    fc.constantFrom(': ping', 'event: error', 'data', '', 'id: 1', 'data:退货😀'),
  );
  const text = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 30 })
    .map((lines) => lines.map((parts) => parts.join('')).join(''));
  const cuts = fc.array(fc.nat(), { maxLength: 40 });
  fc.assert(
    fc.property(text, cuts, (text, cuts) => {
      const bytes = bytesOf(text);
      const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
      expect(read(...pieces)).toEqual(read(bytes));
      expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(read(bytes));
    }),
    { numRuns: 500 },
  );
});

test('an event that never ends is refused, and not kept', () => {
  const reader = createServerSentEventReader({ onEvent() {} }, 100);
  expect(() => {
    for (let count = 0; count < 20; count++) reader.push(bytesOf('data: 0123456789'));
  }).toThrow(RangeError);
  const lines = createServerSentEventReader({ onEvent() {} }, 100);
  expect(() => {
    for (let count = 0; count < 20; count++) lines.push(bytesOf('data: 0123456789\n'));
  }).toThrow(RangeError);
});
