import { describe, expect, test } from 'vitest';
import { Outcome } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { collect } from '#kit/base/streams.ts';
import { providerErrorOf, requestOf } from '../../suites/llm-provider.suite.ts';
import { eventStream, loadAdapter, scriptedFetch } from '../../testing/fetch.ts';
import { doneOf, modelAt, startTestGateway, textOf } from '../../testing/gateway.ts';
import { slowly, startFakeProvider } from '../../testing/provider-server.ts';

const chunk = (delta: object, finish: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason: finish }],
});
const text = (content: string, finish: string | null = null) => chunk({ content }, finish);
const done = 'data: [DONE]\n\n';
const whole = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: '五天 days' }, finish_reason: 'stop' }],
});
const streamedText = `data: ${JSON.stringify(text('五天 '))}\n\ndata: ${JSON.stringify(text('days', 'stop'))}\n\n${done}`;

const generate = async (reply: () => Response) => {
  const provider = await loadAdapter(
    'openai-compatible',
    { base_url: 'http://server/v1', model: 'm' },
    scriptedFetch(reply).fetch,
  );
  return provider.generate(requestOf(), new AbortController().signal);
};
const labelled = (body: string | Uint8Array<ArrayBuffer>, type: string | undefined) => () =>
  new Response(new Blob([body]).stream(), { headers: type === undefined ? {} : { 'content-type': type } });

describe('the first byte says what a response is, not its label', () => {
  const labels = [
    'text/plain',
    undefined,
    'text/event-stream',
    'text/html',
    'application/json',
    'application/octet-stream',
  ];
  const forms: [string, string][] = [
    ['a whole completion', whole],
    ['a whole completion after blank lines', `\n\n \r\n${whole}\n`],
    ['a whole completion after a byte order mark', `\uFEFF${whole}`],
    ['events', streamedText],
    ['events after a blank line and a comment', `\n: hi\n\n${streamedText}`],
  ];
  test.each(labels.flatMap((type) => forms.map(([form, body]) => [form, type, body] as const)))(
    '%s as %s',
    async (_, type, body) => {
      const events = await collect(await generate(labelled(body, type)));
      const words = events.map((event) => (event.kind === 'text' ? event.text : '')).join('');
      expect(words).toBe('五天 days');
      expect(events.at(-1)).toEqual({ kind: 'end', outcome: Outcome.COMPLETE, reason: 'stop' });
    },
  );

  test.each(labels)('a web page as %s is no completion', async (type) => {
    const error = await providerErrorOf(await generate(labelled('<!doctype html><p>Sign in</p>', type)));
    expect(error).toMatchObject({ remedy: 'elsewhere', kind: 'broken' });
  });

  test('an error in a list, and JSON that is cut', async () => {
    const limited = labelled(JSON.stringify([{ error: { code: 'rate_limit_exceeded', message: 'x' } }]), 'text/plain');
    expect(await providerErrorOf(await generate(limited))).toMatchObject({ kind: 'rate-limited' });
    const cut = labelled(whole.slice(0, -20), 'text/event-stream');
    expect(await providerErrorOf(await generate(cut))).toMatchObject({ remedy: 'retry', kind: 'broken' });
  });
});

describe('content after a finish_reason', () => {
  test.each<[string, (object | string)[], string, Outcome]>([
    [
      'a reason with every chunk',
      [text('一', 'stop'), text('二', 'stop'), text('三', 'stop'), done],
      '一二三',
      Outcome.COMPLETE,
    ],
    ['the last words behind it', [text('一'), chunk({}, 'stop'), text('二'), done], '一二', Outcome.COMPLETE],
    ['another reason behind it', [text('a', 'stop'), text('b', 'length'), done], 'ab', Outcome.LENGTH],
    ['words behind it, and no end', [text('a', 'stop'), text('b')], 'ab', Outcome.TRUNCATED],
    [
      'a character that is cut by it',
      [
        'data: {"choices":[{"delta":{"content":"A\\ud83d"},"finish_reason":"stop"}]}\n\n',
        'data: {"choices":[{"delta":{"content":"\\ude00B"},"finish_reason":"stop"}]}\n\n',
        done,
      ],
      'A😀B',
      Outcome.COMPLETE,
    ],
    [
      'empty words and a repeated reason',
      [text('a', 'stop'), text('', 'stop'), text('', 'length'), done],
      'a',
      Outcome.COMPLETE,
    ],
    [
      'the whole message again',
      [text('a'), chunk({}, 'stop'), { choices: [{ message: { content: 'a' } }] }, done],
      'a',
      Outcome.COMPLETE,
    ],
  ])('is not lost: %s', async (_, chunks, words, outcome) => {
    await using provider = await startFakeProvider(slowly(chunks, 5));
    await using gateway = await startTestGateway({ models: [modelAt(provider.url)], maxAttempts: 1 });
    const responses = await gateway.ask();
    expect([textOf(responses), doneOf(responses).outcome]).toEqual([words, outcome]);
  });
});

test.each([
  ['NULL', undefined],
  ['none', undefined],
  ['STOP', Outcome.COMPLETE],
  ['MAX_TOKENS', Outcome.LENGTH],
])('a finish_reason of "%s" is read in any case', async (word, outcome) => {
  const events = await collect(await generate(eventStream([text('a'), chunk({}, word), done])));
  expect(events.find((event) => event.kind === 'end')?.outcome).toBe(outcome);
});
