import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { Language, Stage } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { type EdgeMesh, shortAnswer, startEdgeMesh } from '../testing/stand-ins.ts';

let edge: EdgeMesh;
beforeAll(async () => {
  edge = await startEdgeMesh({
    limits: { heartbeatMs: 20 },
    async *answer(request, context) {
      const unavailable = rpcError(Code.Unavailable, ErrorReason.DEPENDENCY_UNAVAILABLE, 'the model is away');
      const aborted = new Promise((_, reject) =>
        context.signal.addEventListener('abort', () => reject(context.signal.reason)),
      );
      aborted.catch(() => {});
      switch (request.question) {
        case 'fail before':
          throw unavailable;
        case 'fail after':
          yield { case: 'textDelta', value: { text: 'so far' } };
          throw unavailable;
        case 'take back':
          yield { case: 'textDelta', value: { text: 'wrong' } };
          yield { case: 'citation', value: { marker: 9 } };
          yield { case: 'reset', value: { reason: 'another model starts anew' } };
          yield { case: 'textDelta', value: { text: 'right' } };
          yield {
            case: 'done',
            value: {
              outcome: AnswerOutcome.REFUSED,
              degradations: [{ stage: Stage.RERANK, reason: 'late', effect: 'kept the fused order' }],
            },
          };
          return;
        case 'break off':
          yield { case: 'textDelta', value: { text: 'and then' } };
          return;
        case 'silent':
          yield { case: 'started', value: { answerId: 'a1' } };
          await aborted;
          return;
        case 'wait':
          yield { case: 'textDelta', value: { text: 'first' } };
          await aborted;
          return;
        default:
          yield* shortAnswer(request);
      }
    },
  });
});
afterAll(() => edge.mesh.close());

const ask = (body: unknown, init: RequestInit = {}) =>
  fetch(`${edge.url}/v1/chat/stream`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...edge.authorization },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
    ...init,
  });

interface SentEvent {
  event: string;
  data: Record<string, unknown>;
}

const parse = (text: string): SentEvent[] =>
  text
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const lines = new Map(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      return { event: lines.get('event') ?? '', data: JSON.parse(lines.get('data') ?? 'null') };
    });

const eventsOf = async (body: unknown) => parse(await (await ask(body)).text());

test('an answer is a stream of events that ends with done', async () => {
  const response = await ask({
    query: '退货?',
    session_id: 's1',
    create_session: true,
    top_k: 4,
    temperature: 0.5,
    corpora: ['help'],
    language: 'zh',
  });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const events = parse(await response.text());
  expect(events.map(({ event }) => event)).toEqual(['sources', 'message', 'citation', 'done']);
  expect(events[0]?.data).toMatchObject({ passages: [{ chunk_id: 'c1', document_id: 'd1', title: 'Returns' }] });
  expect(events[1]?.data).toEqual({ content: 'Within 30 days, 退货免费 [1].' });
  const source = { chunk_id: 'c1', document_id: 'd1', title: 'Returns', url: '', corpus: 'help', page: 3 };
  expect(events[2]?.data).toEqual({ marker: 1, ...source });
  expect(events[3]?.data).toMatchObject({
    answer_id: 'a1',
    session_id: 's1',
    outcome: 'answered',
    citations: [{ marker: 1, ...source }],
    usage: { prompt_tokens: 120, completion_tokens: 9, from_cache: false },
    degradations: [],
  });
  expect(edge.seen.questions.at(-1)).toMatchObject({
    question: '退货?',
    sessionId: 's1',
    createSession: true,
    topK: 4,
    temperature: 0.5,
    corpora: ['help'],
    language: Language.ZH,
  });
});

test('text that is void is taken back by a reset, with its citations', async () => {
  const events = await eventsOf({ query: 'take back' });
  expect(events.map(({ event }) => event)).toEqual(['message', 'citation', 'reset', 'message', 'done']);
  expect(events[2]?.data).toEqual({ reason: 'another model starts anew' });
  expect(events[4]?.data).toMatchObject({
    outcome: 'refused',
    citations: [],
    usage: null,
    degradations: [{ stage: 'rerank', reason: 'late', effect: 'kept the fused order' }],
  });
});

describe('failures', () => {
  test('before the first event they are an HTTP status with JSON', async () => {
    const response = await ask({ query: 'fail before' });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ code: 'unavailable', reason: 'DEPENDENCY_UNAVAILABLE' });
  });

  test('after it they are an event, and no done', async () => {
    const events = await eventsOf({ query: 'fail after' });
    expect(events.map(({ event }) => event)).toEqual(['message', 'error']);
    expect(events[1]?.data).toEqual({
      code: 'unavailable',
      reason: 'DEPENDENCY_UNAVAILABLE',
      message: 'the model is away',
    });
  });

  test('an answer that ends early is not reported as complete', async () => {
    const events = await eventsOf({ query: 'break off' });
    expect(events.map(({ event }) => event)).toEqual(['message', 'error']);
    expect(events[1]?.data).toMatchObject({ code: 'internal' });
  });

  test('a wrong body is refused with the path of what is wrong', async () => {
    const cases: [unknown, string][] = [
      [{}, 'query'],
      [{ query: null }, 'query'],
      [{ query: '' }, 'query'],
      [{ query: 7 }, 'query'],
      [{ query: 'x'.repeat(4097) }, 'query'],
      [{ query: 'x', top_k: '5' }, 'top_k'],
      [{ query: 'x', top_k: 1.5 }, 'top_k'],
      [{ query: 'x', top_k: 51 }, 'top_k'],
      [{ query: 'x', temperature: -1 }, 'temperature'],
      [{ query: 'x', corpora: ['a', 3] }, 'corpora[1]'],
      [{ query: 'x', language: 'fr' }, 'language'],
      [{ query: 'x', topK: 5 }, 'topK'],
      [{ query: 'x', __proto__: null, constructor: 1 }, 'constructor'],
      [[], 'the body'],
    ];
    for (const [body, path] of cases) {
      const response = await ask(body);
      expect(response.status, path).toBe(400);
      expect(await response.json()).toMatchObject({
        code: 'invalid_argument',
        reason: 'FIELD_INVALID',
        fields: [{ path }],
      });
    }
    expect((await ask({ query: '😀'.repeat(4096), temperature: null })).status).toBe(200);
  });

  test('what is not JSON in UTF-8 is refused', async () => {
    for (const body of ['', '{', 'query=x', new Uint8Array([0x7b, 0xff, 0x7d])]) {
      const response = await ask(body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        reason: 'FIELD_INVALID',
        message: expect.stringMatching(/JSON|UTF-8/),
      });
    }
    const form = await ask('query=x', {
      headers: { ...edge.authorization, 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(form.status).toBe(415);
    expect(await form.json()).toMatchObject({ reason: 'MEDIA_TYPE_UNSUPPORTED' });
  });

  test('another tenant than that of the credentials is refused', async () => {
    const response = await ask({ query: 'x', tenant_id: 'acme' });
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: 'permission_denied', reason: 'TENANT_MISMATCH' });
    expect((await ask({ query: 'x', tenant_id: 'demo' })).status).toBe(200);
  });

  test('without credentials it is 401, whatever the body', async () => {
    const response = await ask('{', { headers: { 'content-type': 'application/json' } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toMatchObject({ reason: 'CREDENTIALS_MISSING' });
  });
});

test('a silent stream says that it lives', async () => {
  const controller = new AbortController();
  const response = await ask({ query: 'silent' }, { signal: controller.signal });
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  expect(new TextDecoder().decode(value)).toBe(': ping\n\n');
  controller.abort();
  await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
});

test('a client that closes ends the question', async () => {
  const aborted = edge.seen.abortedCount;
  const controller = new AbortController();
  const response = await ask({ query: 'wait' }, { signal: controller.signal });
  await (response.body as ReadableStream<Uint8Array>).getReader().read();
  expect(edge.seen.openCount).toBe(1);
  controller.abort();
  await expect.poll(() => edge.seen.openCount, { interval: 5 }).toBe(0);
  expect(edge.seen.abortedCount).toBe(aborted + 1);
});
