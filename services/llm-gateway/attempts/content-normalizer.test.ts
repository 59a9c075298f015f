import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GenerateResponse, Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { casesOf, doneOf, modelAt, startTestGateway, textOf } from '../testing/gateway.ts';
import { content, doneMark, finish, slowly, startFakeProvider, streamed } from '../testing/provider-server.ts';
import { createContentNormalizer } from './content-normalizer.ts';

const chunk = (delta: object) => ({ choices: [{ index: 0, delta, finish_reason: null }] });
const whole = (message: object, reason = 'stop') => ({ choices: [{ index: 0, message, finish_reason: reason }] });

const reasoningOf = (responses: readonly GenerateResponse[]) =>
  responses.map(({ event }) => (event.case === 'reasoningDelta' ? event.value.text : '')).join('');
const argumentsOf = (responses: readonly GenerateResponse[]) =>
  responses.map(({ event }) => (event.case === 'toolCallDelta' ? event.value.argumentsJson : '')).join('');

/** What a caller gets of a provider's chunks, each in a delivery of its own. */
async function answerTo(chunks: readonly (object | string)[]) {
  await using server = await startFakeProvider(slowly(chunks, 5));
  await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
  return await gateway.ask();
}

describe('content in parts', () => {
  const thought = { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] };

  test('of a stream: what the model thinks is reasoning, what it writes is text', async () => {
    const responses = await answerTo([
      chunk({ content: [thought] }),
      chunk({ content: [{ type: 'thinking', thinking: ' so' }] }),
      chunk({ content: [] }),
      chunk({ content: [{ type: 'text', text: 'Hello' }] }),
      chunk({ content: ' world' }),
      finish('stop'),
      doneMark,
    ]);
    expect(textOf(responses)).toBe('Hello world');
    expect(reasoningOf(responses)).toBe('hm so');
    expect(doneOf(responses).outcome).toBe(Outcome.COMPLETE);
  });

  test('of a whole reply: the same, in order', async () => {
    await using server = await startFakeProvider((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(whole({ content: [thought, { type: 'text', text: 'Hello' }] })));
    });
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    const responses = await gateway.ask();
    expect([reasoningOf(responses), textOf(responses)]).toEqual(['hm', 'Hello']);
    expect(casesOf(responses)).toEqual(['started', 'reasoningDelta', 'textDelta', 'usage', 'done']);
  });

  test('a refusal among them ends the answer as filtered', async () => {
    const responses = await answerTo([
      chunk({ content: [{ type: 'refusal', refusal: 'I cannot.' }] }),
      finish('stop'),
      doneMark,
    ]);
    expect(textOf(responses)).toBe('I cannot.');
    expect(doneOf(responses).outcome).toBe(Outcome.FILTERED);
  });

  test.each([
    ['an image', [{ type: 'image_url', image_url: { url: 'https://x.example/a.png' } }]],
    ['a part without a type', [{ text: 'x' }]],
    ['a text that is an object', [{ type: 'text', text: { value: 'x' } }]],
    ['a string among the parts', ['x']],
    ['an image in a thought', [{ type: 'thinking', thinking: [{ type: 'image' }] }]],
    ['a thought in a thought', [{ type: 'thinking', thinking: [thought] }]],
    ['an object', { type: 'text', text: 'x' }],
    ['a number', 7],
    ['null among the parts', [null]],
  ])('anything else is a broken reply, of which nothing is shown: %s', async (_, value) => {
    await using server = await startFakeProvider(streamed([chunk({ content: value }), finish('stop'), doneMark]));
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    await expect(gateway.ask()).rejects.toThrow(/which is not text/);
    // The same model would send the same again.
    expect(server.requests).toHaveLength(1);
    expect(
      await gateway.metric(
        'ragmesh_llm_attempt_total{provider="openai-compatible",model="gpt-at-provider",result="broken"}',
      ),
    ).toBe(1);
  });

  test.each(['reasoning_content', 'reasoning', 'refusal'])('%s that is no text is a broken reply', async (field) => {
    await using server = await startFakeProvider(streamed([chunk({ [field]: { a: 1 } }), finish('stop'), doneMark]));
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    await expect(gateway.ask()).rejects.toThrow(/which is not text/);
  });

  test('in the middle of an answer, what came before it is shown, and the answer is not whole', async () => {
    const responses = await answerTo([
      content('Hello'),
      chunk({ content: [{ type: 'image' }] }),
      finish('stop'),
      doneMark,
    ]);
    expect(textOf(responses)).toBe('Hello');
    expect(doneOf(responses).outcome).toBe(Outcome.UPSTREAM_ERROR);
  });

  test('another model answers in the place of one whose content cannot be read', async () => {
    await using bad = await startFakeProvider(
      streamed([chunk({ content: [{ type: 'image' }] }), finish('stop'), doneMark]),
    );
    await using good = await startFakeProvider(streamed([content('ok'), finish('stop'), doneMark]));
    await using gateway = await startTestGateway({ models: [modelAt(bad.url, 'a'), modelAt(good.url, 'b')] });
    expect(textOf(await gateway.ask())).toBe('ok');
  });
});

describe('a character that is cut between two deltas', () => {
  // The halves of U+1F600, as JSON writes them.
  const [high, low] = ['\ud83d', '\ude00'];
  const raw = (delta: string) => `data: {"choices":[{"index":0,"delta":${delta},"finish_reason":null}]}\n\n`;

  test('comes whole, in text, reasoning and arguments', async () => {
    const responses = await answerTo([
      raw('{"reasoning_content":"R\\ud83d"}'),
      raw('{"reasoning_content":"\\ude00S"}'),
      raw('{"content":"A\\ud83d"}'),
      raw('{"content":""}'),
      raw('{"content":"\\ude00B"}'),
      raw('{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\\"x\\":\\"\\ud83d"}}]}'),
      raw('{"tool_calls":[{"index":0,"function":{"arguments":"\\ude00\\"}"}}]}'),
      finish('tool_calls'),
      doneMark,
    ]);
    expect(reasoningOf(responses)).toBe('R😀S');
    expect(textOf(responses)).toBe('A😀B');
    expect(argumentsOf(responses)).toBe('{"x":"😀"}');
    for (const { event } of responses) {
      if (event.case === 'textDelta' || event.case === 'reasoningDelta')
        expect(event.value.text.isWellFormed()).toBe(true);
      if (event.case === 'toolCallDelta') expect(event.value.argumentsJson.isWellFormed()).toBe(true);
    }
  });

  test('whose second half never comes is U+FFFD at the end, and no half leaves the gateway', async () => {
    const responses = await answerTo([raw('{"content":"A\\ud83d"}'), finish('stop'), doneMark]);
    expect(textOf(responses)).toBe('A\ufffd');
    expect(doneOf(responses).outcome).toBe(Outcome.COMPLETE);
  });

  test('of a whole reply is U+FFFD too', async () => {
    await using server = await startFakeProvider((response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"choices":[{"index":0,"message":{"content":"\\ude00A\\ud83d"},"finish_reason":"stop"}]}');
    });
    await using gateway = await startTestGateway({ models: [modelAt(server.url)] });
    expect(textOf(await gateway.ask())).toBe('\ufffdA\ufffd');
  });

  test('is whole over every wire', async () => {
    const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`;
    const anthropic = [
      event('message_start', '{"type":"message_start","message":{"model":"m"}}'),
      event(
        'content_block_delta',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"A\\ud83d"}}',
      ),
      event(
        'content_block_delta',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ude00B"}}',
      ),
      event('message_delta', '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}'),
      event('message_stop', '{"type":"message_stop"}'),
    ];
    const responses = [
      event('response.output_text.delta', '{"type":"response.output_text.delta","delta":"A\\ud83d"}'),
      event('response.output_text.delta', '{"type":"response.output_text.delta","delta":"\\ude00B"}'),
      event('response.completed', '{"type":"response.completed","response":{"status":"completed"}}'),
    ];
    const ollama = [
      '{"model":"m","message":{"content":"A\\ud83d"},"done":false}\n',
      '{"model":"m","message":{"content":"\\ude00B"},"done":false}\n',
      '{"model":"m","message":{"content":""},"done":true,"done_reason":"stop"}\n',
    ];
    const cases = [
      ['anthropic', anthropic, { api_key: 'k' }],
      ['openai-responses', responses, { api_key: 'k' }],
      ['ollama', ollama, {}],
    ] as const;
    for (const [adapter, chunks, settings] of cases) {
      await using server = await startFakeProvider(slowly(chunks, 5));
      const base_url = adapter === 'openai-responses' ? server.url : server.url.replace('/v1', '');
      await using gateway = await startTestGateway({
        models: [{ name: 'm', adapter, settings: { ...settings, base_url, model: 'm' } }],
      });
      expect([adapter, textOf(await gateway.ask())]).toEqual([adapter, 'A😀B']);
    }
  });

  test('wherever a text is cut, its parts give the same text, and every part is well formed', () => {
    const unit = fc.constantFrom('a', '中', '😀', high, low);
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 20 }), fc.array(fc.nat(40), { maxLength: 10 }), (units, cuts) => {
        const text = units.join('');
        const at = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length].sort((a, b) => a - b);
        const content = createContentNormalizer(() => 'id');
        const parts = at.slice(1).map((end, index) => content.take({ kind: 'text', text: text.slice(at[index], end) }));
        const texts = [...parts, ...content.end()].flatMap((part) => (part?.kind === 'text' ? [part.text] : []));
        expect(texts.join('')).toBe(text.toWellFormed());
        for (const part of texts) expect(part.isWellFormed()).toBe(true);
      }),
    );
  });
});
