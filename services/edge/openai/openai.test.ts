import { Code } from '@connectrpc/connect';
import OpenAI, { APIError } from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { type AskEvent, type EdgeMesh, shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
let client: OpenAI;
beforeAll(async () => {
  edge = await startEdgeMesh({
    async *answer(request, context) {
      const done = (outcome: AnswerOutcome): AskEvent => ({ case: 'done', value: { outcome, answerId: 'a1' } });
      if (!request.question.endsWith('?')) yield { case: 'started', value: { answerId: 'a1' } };
      const text: AskEvent = { case: 'textDelta', value: { text: 'so far' } };
      switch (request.question) {
        case 'limit':
          throw rpcError(Code.ResourceExhausted, ErrorReason.RATE_LIMITED, 'too often', { retryAfterMs: 2500 });
        case 'model':
          throw rpcError(Code.InvalidArgument, ErrorReason.MODEL_UNKNOWN, 'no such model');
        case 'length':
          yield text;
          yield done(AnswerOutcome.LENGTH);
          return;
        case 'filter':
          yield done(AnswerOutcome.FILTERED);
          return;
        case 'broken':
          yield text;
          throw rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'the model is away');
        case 'truncated':
          yield text;
          yield done(AnswerOutcome.TRUNCATED);
          return;
        case 'take back':
          yield text;
          yield { case: 'reset', value: { reason: 'another model starts anew' } };
          if (context.signal.aborted) return;
          yield { case: 'textDelta', value: { text: 'right' } };
          yield done(AnswerOutcome.ANSWERED);
          return;
        case 'pages':
          yield { case: 'textDelta', value: { text: '运费见 [1]，' } };
          yield {
            case: 'citation',
            value: { marker: 1, documentId: 'd1', title: '运费', url: 'https://shop.example/fees' },
          };
          yield { case: 'textDelta', value: { text: 'see [2], [3] and again [1].' } };
          yield { case: 'citation', value: { marker: 2, documentId: 'd2', title: 'No page' } };
          yield { case: 'citation', value: { marker: 3, documentId: 'd3', url: 'https://shop.example/3' } };
          yield done(AnswerOutcome.ANSWERED);
          return;
        default:
          yield* shortAnswer(request);
      }
    },
  });
  client = new OpenAI({ apiKey: edge.edge.devKeys?.dev ?? '', baseURL: `${edge.url}/v1`, maxRetries: 0 });
});
afterAll(() => edge.mesh.close());

const user = (content: string) => [{ role: 'user' as const, content }];
const failure = async (work: Promise<unknown>): Promise<APIError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
};

describe('a completion', () => {
  test('is an answer with its citations and usage', async () => {
    const completion = await client.chat.completions.create({ model: 'ragmesh', messages: user('returns?') });
    expect(completion).toMatchObject({
      id: 'chatcmpl-a1',
      object: 'chat.completion',
      model: 'ragmesh',
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          message: {
            role: 'assistant',
            content: 'Within 30 days, 退货免费 [1].',
            citations: [{ marker: 1, chunk_id: 'c1', document_id: 'd1', title: 'Returns', corpus: 'help', page: 3 }],
          },
        },
      ],
      usage: { prompt_tokens: 120, completion_tokens: 9, total_tokens: 129 },
    });
    expect(completion).not.toHaveProperty('warnings');
  });

  test('streams in chunks: the role first, the reason to finish last', async () => {
    const stream = await client.chat.completions.create({
      model: 'ragmesh',
      messages: user('returns?'),
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant', content: '' });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('Within 30 days, 退货免费 [1].');
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason ?? null)).toEqual([null, null, 'stop', null]);
    expect(chunks.map(({ usage }) => usage?.total_tokens ?? null)).toEqual([null, null, null, 129]);
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-2)).toMatchObject({ citations: [{ marker: 1, document_id: 'd1' }] });
    expect(new Set(chunks.map(({ id }) => id))).toEqual(new Set(['chatcmpl-a1']));
  });

  test('annotates each marker of a document that has an address, whole and streamed, as frameworks expect sources', async () => {
    const request = { model: 'ragmesh', messages: user('pages') };
    const { message } = (await client.chat.completions.create(request)).choices[0] ?? {};
    const text = '运费见 [1]，see [2], [3] and again [1].';
    expect(message?.content).toBe(text);
    const at = (start: number, url: string, title: string) => ({
      type: 'url_citation',
      url_citation: { start_index: start, end_index: start + 3, url, title },
    });
    const expected = [
      at(4, 'https://shop.example/fees', '运费'),
      at(17, 'https://shop.example/3', 'd3'),
      at(31, 'https://shop.example/fees', '运费'),
    ];
    expect(message?.annotations).toEqual(expected);
    for (const { url_citation } of message?.annotations ?? []) {
      expect(text.slice(url_citation.start_index, url_citation.end_index)).toMatch(/^\[\d\]$/);
    }
    const streamed = [];
    for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
      streamed.push(...((choices[0]?.delta as { annotations?: object[] } | undefined)?.annotations ?? []));
    }
    expect(streamed).toEqual(expected);
    const without = await client.chat.completions.create({ model: 'ragmesh', messages: user('returns?') });
    expect(without.choices[0]?.message.annotations).toEqual([]);
  });

  test("is put together by the client's own helper", async () => {
    const stream = client.chat.completions.stream({ model: 'ragmesh', messages: user('returns?') });
    expect(await stream.finalContent()).toBe('Within 30 days, 退货免费 [1].');
  });

  test('ends for the reason that the answer ended', async () => {
    const reasonOf = async (content: string) =>
      (await client.chat.completions.create({ model: '', messages: user(content) })).choices[0]?.finish_reason;
    expect(await reasonOf('length')).toBe('length');
    expect(await reasonOf('filter')).toBe('content_filter');
  });

  test('takes the last user message as the question, and what was said before as the history', async () => {
    await client.chat.completions.create({
      model: 'extractive',
      temperature: 0.2,
      max_completion_tokens: 77,
      user: 'u1',
      messages: [
        { role: 'assistant', content: 'Welcome!' },
        { role: 'user', content: 'A?' },
        { role: 'user', content: 'And B?' },
        { role: 'assistant', content: 'a.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'C' },
            { type: 'text', text: 'D?' },
          ],
        },
        { role: 'assistant', content: 'cd.' },
        { role: 'user', content: 'E?' },
      ],
    });
    const asked = edge.seen.questions.at(-1);
    expect(asked).toMatchObject({ question: 'E?', model: 'extractive', maxTokens: 77 });
    expect(asked?.temperature).toBeCloseTo(0.2);
    expect(asked?.history.map(({ question, answer }) => [question, answer])).toEqual([
      ['A?\nAnd B?', 'a.'],
      ['C\nD?', 'cd.'],
    ]);
  });

  test('says what it passed over', async () => {
    const completion = await client.chat.completions.create({
      model: 'ragmesh',
      top_p: 0.5,
      messages: [{ role: 'system', content: 'Be a pirate.' }, ...user('returns?')],
    });
    expect(completion).toMatchObject({
      warnings: [expect.stringContaining('top_p'), expect.stringContaining('system')],
    });
    expect(JSON.stringify(edge.seen.questions.at(-1)?.history)).not.toContain('pirate');
  });
});

describe('a failure', () => {
  const create = (content: string, extra: object = {}) =>
    client.chat.completions.create({ model: 'ragmesh', messages: user(content), ...extra });

  test('has the status and the code that the client knows', async () => {
    const limit = await failure(create('limit'));
    expect(limit).toMatchObject({ status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' });
    expect(limit.headers?.get('retry-after')).toBe('3');
    expect(await failure(create('model'))).toMatchObject({ status: 404, code: 'model_not_found' });
    expect(await failure(create('broken'))).toMatchObject({ status: 503, type: 'server_error' });
    expect(await failure(create('truncated'))).toMatchObject({ status: 503 });
    const stranger = new OpenAI({ apiKey: 'nobody', baseURL: `${edge.url}/v1`, maxRetries: 0 });
    expect(await failure(stranger.models.list())).toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('names the parameter', async () => {
    const cases: [object, string][] = [
      [{ temperature: 3 }, 'temperature'],
      [{ n: 2 }, 'n'],
      [{ tools: [{ type: 'function', function: { name: 'f' } }] }, 'tools'],
      [{ response_format: { type: 'yaml' } }, 'response_format.type'],
      [
        { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'integer' } } } },
        'response_format.json_schema.schema',
      ],
      [{ flavour: 'sweet' }, 'flavour'],
      [{ messages: [] }, 'messages'],
      [{ messages: [{ role: 'tool', content: 'x', tool_call_id: 'x' }] }, 'messages[0].role'],
      [{ messages: [...user('a'), { role: 'assistant', content: 'b' }] }, 'messages'],
      [{ messages: user(' ') }, 'messages[0].content'],
      [{ messages: user('x'.repeat(4097)) }, 'messages[0].content'],
      [
        { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] },
        'messages[0].content[0].type',
      ],
    ];
    for (const [extra, param] of cases) {
      expect(await failure(create('x', extra)), param).toMatchObject({
        status: 400,
        type: 'invalid_request_error',
        param,
      });
    }
  });

  test('in the middle of a stream breaks the stream, without the mark of its end', async () => {
    for (const content of ['broken', 'truncated', 'take back']) {
      const response = await fetch(`${edge.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...edge.authorization },
        body: JSON.stringify({ messages: user(content), stream: true }),
      });
      const text = await response.text();
      expect(text).toContain('so far');
      expect(text).toContain('{"error":{"message":');
      expect(text).not.toContain('[DONE]');
      const read = async () => {
        for await (const _ of await create(content, { stream: true }).then(
          (stream) => stream as never as AsyncIterable<unknown>,
        ));
      };
      expect((await failure(read())).type).toBe('server_error');
    }
    await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
  });

  test('a completion that is not streamed takes text back by itself', async () => {
    expect((await create('take back')).choices[0]?.message.content).toBe('right');
  });

  test('a route of OpenAI that is not served says so in the same shape', async () => {
    expect(await failure(client.moderations.create({ input: 'x' }))).toMatchObject({ status: 404 });
  });
});

test('models are the default one and those of the gateway', async () => {
  const names = [];
  for await (const { id } of client.models.list()) names.push(id);
  expect(names).toEqual(['ragmesh', 'extractive']);
  expect(await client.models.retrieve('extractive')).toMatchObject({ id: 'extractive', object: 'model' });
  expect(await failure(client.models.retrieve('a/b'))).toMatchObject({ status: 404, code: 'model_not_found' });
});
