import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collect } from '#kit/base/streams.ts';
import { requestOf } from '../../suites/llm-provider.suite.ts';
import type { ProviderEvent } from '../llm-provider.ts';
import { createChatCompletions } from './chat-completions.ts';
import type { ChatChunk } from './chat-completions-stream.ts';
import { createTextFrames } from './text-frames.ts';

const chunkOf = (delta: object, more: object = {}, created = 1) => ({
  id: 'chatcmpl-1',
  created,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const eventOf = (data: unknown, lineEnd = '\n') => `data: ${JSON.stringify(data)}${lineEnd}${lineEnd}`;

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

function providerOf(pieces: readonly Uint8Array[]) {
  return createChatCompletions({
    name: 'test',
    model: 'm',
    endpoint: { send: async () => new Response(streamOf(pieces)), listModels: async () => [] },
    dialect: { vendor: 'test' },
    capabilities: {
      generative: true,
      readsEvidence: false,
      contextTokens: 0,
      maxOutputTokens: 0,
      tools: true,
      images: false,
      jsonSchema: true,
      prefill: false,
    },
  });
}

/** What a stream means: its events with texts joined as far as they follow one another, and its failure. */
async function meaningOf(pieces: readonly Uint8Array[]): Promise<unknown[]> {
  const provider = providerOf(pieces);
  const events: ProviderEvent[] = [];
  let failure: unknown;
  try {
    for await (const event of provider.generate(requestOf(), new AbortController().signal)) events.push(event);
  } catch (error) {
    failure = { message: (error as Error).message };
  }
  const joined: ProviderEvent[] = [];
  for (const event of events) {
    const last = joined.at(-1);
    if (last !== undefined && 'text' in last && 'text' in event && last.kind === event.kind) last.text += event.text;
    else joined.push({ ...event });
  }
  return [...joined, failure];
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Words as providers send them, and as they would mislead a reader of frames. */
const words = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(' word', '退货', '😀', '\ud83d', '\ude00', '\\', '\\"', '"', '\n', '\u0000', '', '"}}', 'null'),
  fc.constantFrom(
    '"},"finish_reason":"stop"}]}',
    '"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
    '{"choices":[{"delta":{"content":"x"}}]}',
  ),
);
/** Makes a chunk of two words. */
type Shape = (a: string, b: string) => object;
const text: Shape = (content) => chunkOf({ content });
const shapes: readonly Shape[] = [
  (content) => chunkOf({ role: 'assistant', content, refusal: null }),
  (reasoning) => chunkOf({ content: null, reasoning_content: reasoning }),
  (reasoning) => chunkOf({ reasoning_content: '', reasoning }),
  (a, b) => chunkOf({ reasoning_content: a, reasoning: b }),
  (content, reasoning) => chunkOf({ content, reasoning }),
  (content) => chunkOf({ content }, {}, 2),
  (content) => chunkOf({ content }, { finish_reason: 'stop' }),
  (refusal) => chunkOf({ refusal }),
  (content) => chunkOf({ content, refusal: 'no' }),
  (content) => ({ ...chunkOf({ content }), usage: { prompt_tokens: 1, completion_tokens: 1 } }),
  (content) => chunkOf({ content }, { usage: { prompt_tokens: 1, completion_tokens: 1 } }),
  (content) => ({ choices: [{ index: 1, delta: { content } }, ...chunkOf({ content: 'first' }).choices] }),
  (content) => ({ choices: [{ index: 0, message: { content }, finish_reason: null }] }),
  (part) => chunkOf({ content: [{ type: 'text', text: part }] }),
  (content) => chunkOf({ content, tool_calls: [{ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }] }),
  () => chunkOf({}, { finish_reason: 'length' }),
  () => ({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 } }),
  () => ({ error: { message: 'gone' } }),
  () => chunkOf({ content: 7 }),
];
const shape = fc.oneof({ weight: 2, arbitrary: fc.constant(text) }, fc.constantFrom(...shapes));
const run = fc.tuple(shape, fc.array(fc.tuple(words, words), { minLength: 1, maxLength: 4 }));
const chunks = fc
  .array(run, { maxLength: 6 })
  .map((runs) => runs.flatMap(([of, all]) => all.map(([a, b]) => of(a, b))));
const between = fc.oneof(
  { weight: 60, arbitrary: fc.constant('') },
  fc.constantFrom(': ping\n\n', 'data: [DONE]\n\n', 'event: error\n', 'data: {{{\n\n', '\uFEFF'),
);

describe('frames of text', () => {
  test('a stream means the same whether its chunks are in frames or not, wherever it is cut', async () => {
    const more = fc.array(between, { minLength: 24, maxLength: 24 });
    const lineEnd = fc.constantFrom('\n', '\n', '\r\n');
    await fc.assert(
      fc.asyncProperty(chunks, more, lineEnd, fc.array(fc.nat(), { maxLength: 6 }), async (all, mores, end, cuts) => {
        const parts = all.map((data, n): [object, string] => [data, mores[n] ?? '']);
        // A field that differs in every chunk: none of them is in the frame of another one.
        const apart = parts.map(([data, more], n) => eventOf({ n, ...data }, end) + more).join('');
        const bytes = bytesOf(parts.map(([data, more]) => eventOf(data, end) + more).join(''));
        const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
        const pieces = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
        const expected = await meaningOf([bytesOf(apart)]);
        expect(await meaningOf(pieces)).toEqual(expected);
        expect(await meaningOf([bytes])).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  const learned = (chunkToLearn: object, text: string, kind: 'text' | 'reasoning' = 'text') => {
    const frames = createTextFrames();
    frames.learn(JSON.stringify(chunkToLearn), chunkToLearn as ChatChunk, { kind, text });
    return (stream: string): [ProviderEvent[], number] => {
      const events: ProviderEvent[] = [];
      return [events, frames.scan(stream, 0, events)];
    };
  };

  test('chunks in a known frame are read without being parsed', () => {
    const scan = learned(chunkOf({ content: 'a' }), 'a');
    const stream = [' b', '"c"\n', '😀', ''].map((content) => eventOf(chunkOf({ content }))).join('');
    expect(scan(stream)).toEqual([[{ kind: 'text', text: ' b"c"\n😀' }], stream.length]);
  });

  test.each([
    ['a reason to finish', eventOf(chunkOf({ content: 'b' }, { finish_reason: 'stop' }))],
    ['another field', eventOf(chunkOf({ content: 'b', refusal: null }))],
    ['a chunk that is not complete', eventOf(chunkOf({ content: 'b' })).slice(0, -1)],
    ['two lines of data', eventOf(chunkOf({ content: 'b' })).replace(/\n$/, 'data: x\n\n')],
    ['a control character', eventOf(chunkOf({ content: 'b' })).replace('"b"', '"\n"')],
    ['an escape that is none', eventOf(chunkOf({ content: 'b' })).replace('"b"', String.raw`"\u12"`)],
  ])('%s is left to the parser', (_, event) => {
    const scan = learned(chunkOf({ content: 'a' }), 'a');
    expect(scan(event)).toEqual([[], 0]);
  });

  test('words that are also elsewhere in the chunk are found in their own field', () => {
    const chunkTwice = { content: 'a', note: '"content":"a"', ...chunkOf({ content: 'a' }) };
    const next = { ...chunkTwice, ...chunkOf({ content: 'b' }) };
    expect(learned(chunkTwice, 'a')(eventOf(next))[0]).toEqual([{ kind: 'text', text: 'b' }]);
  });

  test('a stream of which every chunk is another frame is not learned for long', () => {
    const frames = createTextFrames();
    const at = (created: number) => chunkOf({ content: 'a' }, {}, created) as ChatChunk;
    const knows = (chunk: ChatChunk) => frames.scan(eventOf(chunk), 0, []) > 0;
    const learn = (chunk: ChatChunk) => frames.learn(JSON.stringify(chunk), chunk, { kind: 'text', text: 'a' });
    learn(at(1));
    expect(knows(at(1))).toBe(true);
    for (let created = 2; created < 10; created++) learn(at(created));
    expect(knows(at(9))).toBe(false);
    // A frame that is of use pays for the next one.
    const useful = at(4);
    for (let count = 0; count < 8; count++) expect(knows(useful)).toBe(true);
    learn(at(10));
    expect(knows(at(10))).toBe(true);
  });

  test('the wire reads all chunks but the first by their frame', async () => {
    const stream = bytesOf(Array.from({ length: 50 }, () => eventOf(chunkOf({ content: 'x' }))).join(''));
    const events = await collect(providerOf([stream]).generate(requestOf(), new AbortController().signal));
    expect(events.slice(1)).toEqual([
      { kind: 'text', text: 'x' },
      { kind: 'text', text: 'x'.repeat(49) },
    ]);
  });
});
