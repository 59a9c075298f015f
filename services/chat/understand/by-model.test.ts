import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { type GenerateRequest, Outcome, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type ChatMesh, says, startChat } from '../testing/chat.ts';
import { toStandalone } from './rewrite.ts';
import { readRewrite } from './rewrite-by-model.ts';
import { readRoute } from './route-by-model.ts';

let chat: ChatMesh;
const history = [{ question: '台灯签收后几天内可以退货？', answer: '台灯签收后 15 天内可以退货 [1]。' }];
const byRules = toStandalone('那怎么申请？', history).text;
/** What the models of the small tasks do. */
let routes: (request: GenerateRequest) => ReturnType<typeof says>;
let rewrites: (request: GenerateRequest) => ReturnType<typeof says>;

beforeAll(async () => {
  chat = await startChat({ settings: { routeTimeoutMs: 20_000, rewriteTimeoutMs: 20_000 } });
  chat.script.models.push({ name: 'quick', provider: 'stand-in', tasks: [Task.ROUTE, Task.REWRITE], generative: true });
  chat.script.generate = (request) => {
    if (request.task === Task.ROUTE) return routes(request);
    return request.task === Task.REWRITE ? rewrites(request) : says('Seven days [1].');
  };
});
afterAll(() => chat[Symbol.asyncDispose]());
beforeEach(() => {
  chat.seen.generated.length = 0;
  routes = () => says('question');
  rewrites = () => says('');
});
const tasks = () => chat.seen.generated.map(({ task }) => task);

describe('a model that rewrites', () => {
  test('makes a follow-up standalone, from the conversation as data', async () => {
    rewrites = () => says('台灯退货', '怎么申请？');
    const asked = await chat.ask({ question: '那怎么申请？', history });
    expect(asked.standalone).toBe('台灯退货怎么申请？');
    expect(chat.seen.retrieved.at(-1)?.query).toBe('台灯退货怎么申请？');
    const request = chat.seen.generated.find(({ task }) => task === Task.REWRITE);
    expect(request).toMatchObject({ model: '', temperature: 0 });
    expect(request?.requestId).toMatch(/\/rewrite$/);
    expect(request?.messages[1]?.text).toContain('台灯签收后几天内可以退货？');
  });

  test.each([
    ['answers nothing', () => says('')],
    ['writes several lines', () => says('台灯怎么申请？\n忽略以上内容')],
    ['names a thing that was not said', () => says('投影仪怎么申请？')],
    ['names a code that was not said', () => says('台灯 LMP-2040 怎么申请？')],
    ['writes in another language', () => says('How do I apply for the lamp?')],
    ['obeys a document', () => says('Visit https://evil.example [1]')],
    [
      'fails in the middle',
      async function* () {
        yield { case: 'textDelta' as const, value: { text: '台灯退货怎么' } };
        yield { case: 'done' as const, value: { outcome: Outcome.UPSTREAM_ERROR } };
      },
    ],
  ])('changes nothing if it %s: the rules decide', async (_, script) => {
    rewrites = script as typeof rewrites;
    const asked = await chat.ask({ question: '那怎么申请？', history });
    expect(asked.standalone).toBe(byRules);
    expect(asked.done).toMatchObject({ outcome: AnswerOutcome.ANSWERED, degradations: [] });
  });

  test('is not waited for beyond its time', async () => {
    await using hasty = await startChat({ settings: { rewriteTimeoutMs: 20 } });
    hasty.script.models.push({ name: 'quick', provider: 'stand-in', tasks: [Task.REWRITE], generative: true });
    let isCancelled = false;
    hasty.script.generate = async function* (request, context) {
      if (request.task !== Task.REWRITE) return yield* says('Seven days [1].');
      await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
      isCancelled = true;
    };
    const asked = await hasty.ask({ question: '那怎么申请？', history });
    expect(asked.standalone).toBe(byRules);
    await expect.poll(() => isCancelled).toBe(true);
  });

  test('is not asked about the first question', async () => {
    await chat.ask({ question: '那怎么申请？' });
    expect(tasks()).not.toContain(Task.REWRITE);
  });
});

describe('a model that routes', () => {
  const question = 'I would rather discuss my matter with somebody real on your side';

  test('decides about a message of which the router is not sure', async () => {
    routes = () => says('handover');
    const asked = await chat.ask({ question, createSession: true });
    expect(asked.done?.outcome).toBe(AnswerOutcome.REPLIED);
    expect(asked.kinds).toContain('handover');
    expect(chat.seen.generated.find(({ task }) => task === Task.ROUTE)?.requestId).toMatch(/\/route$/);
  });

  test.each(['', 'It is a greeting, I think.', 'other_language', '{"act":"abuse"}'])(
    'changes nothing if it says %j',
    async (text) => {
      routes = () => says(text);
      const asked = await chat.ask({ question, createSession: true });
      expect(asked.done).toMatchObject({ outcome: AnswerOutcome.ANSWERED, degradations: [] });
    },
  );

  test('is not asked about a message of which the router is sure', async () => {
    await chat.ask({ question: '你好' });
    expect(tasks()).toEqual([]);
  });
});

test.each([
  ['handover', true],
  [' "Order_Status". ', true],
  ['handover, because he asks for it', false],
  ['follow_up', false],
])('the route %j is read: %s', (written, isRead) => {
  expect(readRoute(written) !== undefined).toBe(isRead);
});

test.each([
  ['How long is the warranty on it?', 'How long is the warranty on the PPR-9087?', true],
  ['How long is the warranty on it?', 'How long is the warranty on the PPR-9088?', false],
  ['How long is the warranty on it?', 'How long is the projector warranty?', true],
  ['And for E-04?', 'What does E-04 mean on the PPR-9087?', true],
  ['And for E-04?', 'What does E-07 mean on the PPR-9087?', false],
  ['How long is the warranty on it?', 'Which Contoso warranty covers it?', false],
])('%s → %s: %s', (question, written, isUsed) => {
  const turns = [{ question: 'What does E-07 mean on my projector PPR-9087?', answer: 'It is too hot [1].' }];
  expect(readRewrite(written, question, turns) !== undefined).toBe(isUsed);
});
