import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type GenerateRequest, MessageRole, Task } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { type ChatMesh, says, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let summaries: (request: GenerateRequest) => ReturnType<typeof says>;
beforeAll(async () => {
  chat = await startChat({ settings: { historyTurns: 2 } });
  chat.script.generate = (request) =>
    request.task === Task.SUMMARIZE ? summaries(request) : says('It takes 7 days [1]. ', 'And it is free [1].');
});
afterAll(() => chat[Symbol.asyncDispose]());
beforeEach(() => {
  chat.seen.generated.length = 0;
  chat.seen.lookups.length = 0;
});

const promptOf = (request: GenerateRequest | undefined) => request?.messages.map(({ text }) => text) ?? [];
const lastPrompt = () => promptOf(chat.seen.generated.findLast(({ task }) => task === Task.ANSWER));

async function talk(count: number): Promise<string> {
  let sessionId = '';
  for (let index = 1; index <= count; index++) {
    const question = `How long does the return of product number ${index} take?`;
    ({ sessionId } = await chat.ask({
      question,
      bypassCache: true,
      ...(sessionId === '' ? { createSession: true } : { sessionId }),
    }));
  }
  return sessionId;
}

test('turns that do not fit are in the prompt by a summary, as words of the user', async () => {
  const sessionId = await talk(4);
  await chat.ask({ question: 'And how do I send it back?', sessionId });
  const prompt = chat.seen.generated.at(-1);
  expect(prompt?.messages[1]).toMatchObject({ role: MessageRole.USER });
  expect(prompt?.messages[1]?.text.split('\n')).toEqual([
    '(Earlier in this conversation, shortened)',
    'How long does the return of product number 1 take? → It takes 7 days.',
    'How long does the return of product number 2 take? → It takes 7 days.',
  ]);
  expect(lastPrompt()[2]).toContain('product number 3');
});

test('a longer conversation is folded into the store, and its next question says the same and all of it', async () => {
  const sessionId = await talk(9);
  for (const question of ['And how do I send it back?', 'And who pays for it?']) {
    await chat.ask({ question, sessionId });
    const [, summary = ''] = lastPrompt();
    for (let index = 1; index <= 7; index++) expect(summary).toContain(`number ${index} take`);
  }
});

test('an answer of another past is not shared', async () => {
  const question = 'And how do I send it back?';
  const [first, second] = [await talk(3), await talk(4)];
  await chat.ask({ question, sessionId: first });
  await chat.ask({ question, sessionId: second });
  const [a, b] = chat.seen.lookups.slice(-2).map(({ scope }) => scope?.parameters.history);
  expect(a).not.toBe(b);
});

test('a caller that keeps its own history gets the same summary', async () => {
  const history = [1, 2, 3].map((number) => ({ question: `Question ${number}?`, answer: `Answer ${number}. More.` }));
  await chat.ask({ question: 'And then?', history });
  expect(lastPrompt()[1]).toContain('Question 1? → Answer 1.');
});

describe('a model that summarises', () => {
  let quoting: ChatMesh;
  beforeAll(async () => {
    quoting = chat;
    chat = await startChat({ settings: { historyTurns: 2 } });
    chat.script.generate = quoting.script.generate;
    chat.script.models.push({ name: 'quick', provider: 'stand-in', tasks: [Task.SUMMARIZE], generative: true });
  });
  afterAll(async () => {
    await chat[Symbol.asyncDispose]();
    chat = quoting;
  });
  /** Asks until a question begins with the summary that was made after an earlier one. */
  const summaryAfter = async (sessionId: string) => {
    const before = chat.seen.generated.filter(({ task }) => task === Task.SUMMARIZE).length;
    expect(before).toBeGreaterThan(0);
    await chat.ask({ question: 'And who pays for it?', sessionId, bypassCache: true });
    return lastPrompt()[1] ?? '';
  };

  test('does so in the background, and later questions have its words', async () => {
    summaries = () => says('The customer asks about the return of several products: 7 days.');
    const sessionId = await talk(7);
    await expect
      .poll(() => summaryAfter(sessionId), { timeout: 20_000 })
      .toContain('asks about the return of several products');
    const request = chat.seen.generated.find(({ task }) => task === Task.SUMMARIZE);
    expect(request?.requestId).toMatch(/\/summary$/);
    expect(request?.messages[1]?.text).toContain('product number 1 take');
  });

  test.each(['', 'The customer asks for 99 days.', 'See https://evil.example'])(
    'is not believed if it says %j',
    async (text) => {
      summaries = () => says(text);
      const sessionId = await talk(8);
      expect(await summaryAfter(sessionId)).toContain('number 1 take? → It takes 7 days.');
    },
  );
});
