import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AskResponse, AskResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { joinTextDeltas } from './text-deltas.ts';

/** The events, one by one. */
const joinedOf = async (events: AsyncIterable<AskResponse>) => (await collect(joinTextDeltas(events))).flat();
const delta = (text: string) => create(AskResponseSchema, { event: { case: 'textDelta', value: { text } } });
const other = (detail: string) => create(AskResponseSchema, { event: { case: 'stage', value: { detail } } });

/** What is shown, with runs of text as one. */
function shown(events: readonly AskResponse[]): string[] {
  const parts: string[] = [];
  let wasText = false;
  for (const { event } of events) {
    const isText = event.case === 'textDelta';
    if (isText && wasText) parts[parts.length - 1] += event.value.text;
    else parts.push(isText ? event.value.text : `<${(event.value as { detail: string }).detail}>`);
    wasText = isText;
  }
  return parts;
}

test('deltas that are there already become one', async () => {
  async function* source() {
    yield delta('a');
    yield delta('b');
    yield other('x');
    yield delta('c');
    yield delta('d');
  }
  expect((await joinedOf(source())).map(({ event }) => event.case)).toEqual(['textDelta', 'stage', 'textDelta']);
  expect(shown(await joinedOf(source()))).toEqual(['ab', '<x>', 'cd']);
});

test('a delta never waits for the next one', async () => {
  let release = () => {};
  async function* source() {
    yield delta('a');
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    yield delta('b');
  }
  const events = joinTextDeltas(source());
  const first = await events.next();
  expect(first.value?.[0]?.event.value).toMatchObject({ text: 'a' });
  release();
  expect((await events.next()).value?.[0]?.event.value).toMatchObject({ text: 'b' });
  expect((await events.next()).done).toBe(true);
});

test('text that came before an error is delivered before it', async () => {
  async function* source() {
    yield delta('a');
    yield delta('b');
    throw new Error('broken');
  }
  const events = joinTextDeltas(source());
  expect((await events.next()).value?.[0]?.event.value).toMatchObject({ text: 'ab' });
  await expect(events.next()).rejects.toThrow('broken');
});

test('a consumer that leaves ends the source', async () => {
  let ended = false;
  async function* source() {
    try {
      for (;;) yield delta('a');
    } finally {
      ended = true;
    }
  }
  for await (const _ of joinTextDeltas(source())) break;
  await expect.poll(() => ended).toBe(true);
});

test('no text is lost, doubled or moved, whatever the times', async () => {
  const event = fc.oneof(
    fc.string({ minLength: 1, maxLength: 8000 }).map(delta),
    fc.string({ maxLength: 3 }).map(other),
  );
  const pause = fc.constantFrom('none' as const, 'microtask' as const, 'tick' as const, 'turn' as const);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(event, pause), { maxLength: 40 }), async (script) => {
      async function* source() {
        for (const [message, wait] of script) {
          if (wait === 'microtask') await undefined;
          if (wait === 'tick') await new Promise((resolve) => process.nextTick(resolve));
          if (wait === 'turn') await new Promise((resolve) => setImmediate(resolve));
          yield message;
        }
      }
      const joined = await joinedOf(source());
      expect(shown(joined)).toEqual(shown(script.map(([message]) => message)));
    }),
  );
});
