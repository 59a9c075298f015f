import type { CallOptions } from '@connectrpc/connect';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { MessageRole } from '#gen/ragmesh/llm_gateway/v1/llm_gateway_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { type ChatMesh, says, startChat } from '../testing/chat.ts';

let chat: ChatMesh;
let nowMs = Date.now();
beforeAll(async () => {
  chat = await startChat({ clock: () => nowMs });
});
afterAll(() => chat.mesh.close());
beforeEach(() => {
  nowMs += 1000;
  for (const list of Object.values(chat.seen)) list.length = 0;
});

let userCount = 0;
const newUser = () => chat.mesh.as(testPrincipal({ user: `user-${++userCount}` }));
const reasonOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => errorInfoOf(error)?.reason,
  );

describe('a session', () => {
  test('keeps its turns with their citations, and names itself by its first question', async () => {
    const ann = await newUser();
    const { sessionId, answerId } = await chat.ask(
      { question: `How long ${'very '.repeat(40)}long?`, createSession: true },
      ann,
    );
    nowMs += 5000;
    await chat.ask({ question: 'Second question about returns?', sessionId }, ann);
    const { session, turns } = await chat.client.getSession({ sessionId }, ann);
    expect(session).toMatchObject({ sessionId, turnCount: 2, title: expect.stringMatching(/^How long very .*…$/) });
    expect([...(session?.title ?? '')]).toHaveLength(80);
    expect(Number(session?.updatedAt?.seconds) - Number(session?.createdAt?.seconds)).toBe(5);
    expect(turns).toMatchObject([
      { answerId, answer: 'Seven days [1].', citations: [{ marker: 1, documentId: 'd1' }] },
      { question: 'Second question about returns?' },
    ]);
  });

  test('gives its words to a follow-up, and its turns to the prompt', async () => {
    const ann = await newUser();
    const { sessionId } = await chat.ask({ question: '退货的条件是什么？', createSession: true }, ann);
    const asked = await chat.ask({ question: '那换货呢？', sessionId }, ann);
    expect(asked.standalone).toBe('换货的条件是什么？');
    expect(chat.seen.retrieved.at(-1)?.query).toBe('换货的条件是什么？');
    expect(chat.seen.lookups.at(-1)?.question).toBe('换货的条件是什么？');
    expect(
      chat.seen.generated
        .at(-1)
        ?.messages.map(({ role, text }) => [role, text])
        .slice(1),
    ).toEqual([
      [MessageRole.USER, '退货的条件是什么？'],
      [MessageRole.ASSISTANT, 'Seven days.'],
      [MessageRole.USER, '那换货呢？'],
    ]);
    expect(chat.seen.lookups.at(-1)?.scope?.parameters.history).toMatch(/^[0-9a-f]{64}$/);
  });

  test('gives no turns to a model that only quotes: it is asked the standalone question', async () => {
    const ann = await newUser();
    const { sessionId } = await chat.ask(
      { question: '退货的条件是什么？', createSession: true, model: 'extractive' },
      ann,
    );
    await chat.ask({ question: '那换货呢？', sessionId, model: 'extractive' }, ann);
    expect(
      chat.seen.generated
        .at(-1)
        ?.messages.map(({ text }) => text)
        .slice(1),
    ).toEqual(['换货的条件是什么？']);
    expect(chat.seen.lookups.at(-1)?.scope?.parameters).not.toHaveProperty('history');
  });

  test('is not created for a caller that keeps the history itself, which can still rate the answer', async () => {
    const ann = await newUser();
    const history = [{ question: 'Can I return a lamp?', answer: 'Yes.' }];
    const asked = await chat.ask({ question: 'How long does it take?', history }, ann);
    expect(asked).toMatchObject({ sessionId: '', standalone: 'How long does it take? (return lamp)' });
    expect(asked.done?.sessionId).toBe('');
    expect((await chat.client.listSessions({}, ann)).sessions).toEqual([]);
    await chat.client.submitFeedback({ answerId: asked.answerId, rating: Rating.UP }, ann);
  });

  test('is only created on request: other answers are not among the sessions, and can still be rated', async () => {
    const ann = await newUser();
    const asked = await chat.ask({ question: 'Is this kept?' }, ann);
    expect(asked).toMatchObject({ sessionId: '', done: { sessionId: '', answerId: asked.answerId } });
    await chat.ask({ question: 'Is this kept?' }, ann);
    expect((await chat.client.listSessions({}, ann)).sessions).toEqual([]);
    await chat.client.submitFeedback({ answerId: asked.answerId, rating: Rating.DOWN }, ann);
    const { sessionId } = await chat.ask({ question: 'Is this kept?', createSession: true }, ann);
    const { sessions } = await chat.client.listSessions({}, ann);
    expect(sessions.map((session) => session.sessionId)).toEqual([sessionId]);
  });

  test('cannot be read, continued, deleted or rated by another user', async () => {
    const ann = await newUser();
    const name = `user-${userCount}`;
    const { sessionId, answerId } = await chat.ask({ question: 'private', createSession: true }, ann);
    const others = [testPrincipal({ user: 'mallory' }), testPrincipal({ tenant: 'other', user: name })];
    for (const other of others) {
      const options = await chat.mesh.as(other);
      expect(await reasonOf(chat.client.getSession({ sessionId }, options))).toBe('RESOURCE_NOT_FOUND');
      expect(await reasonOf(chat.client.deleteSession({ sessionId }, options))).toBe('RESOURCE_NOT_FOUND');
      expect(await reasonOf(chat.ask({ question: 'q', sessionId }, options))).toBe('RESOURCE_NOT_FOUND');
      const feedback = { answerId, rating: Rating.DOWN };
      expect(await reasonOf(chat.client.submitFeedback(feedback, options))).toBe('RESOURCE_NOT_FOUND');
      const { sessions } = await chat.client.listSessions({}, options);
      expect(sessions.map((session) => session.sessionId)).not.toContain(sessionId);
    }
    expect((await chat.client.getSession({ sessionId }, ann)).turns).toHaveLength(1);
  });

  test('cannot be used by another user while its first answer is in flight', async () => {
    const ann = await newUser();
    const held = Promise.withResolvers<void>();
    const { generate } = chat.script;
    chat.script.generate = async function* () {
      yield { case: 'textDelta', value: { text: 'Slow [1]' } };
      await held.promise;
      yield* says(' end.');
    };
    let sessionId = '';
    const begun = Promise.withResolvers<void>();
    const asking = (async () => {
      for await (const { event } of chat.client.ask({ question: '退货的条件是什么？', createSession: true }, ann)) {
        if (event.case === 'started') sessionId = event.value.sessionId;
        if (event.case === 'textDelta') begun.resolve();
      }
    })();
    await begun.promise;
    chat.script.generate = generate;
    const mallory = await chat.mesh.as(testPrincipal({ user: 'mallory' }));
    expect(await reasonOf(chat.ask({ question: 'q', sessionId }, mallory))).toBe('RESOURCE_NOT_FOUND');
    expect((await chat.ask({ question: '那换货呢？', sessionId }, ann)).standalone).toBe('换货的条件是什么？');
    held.resolve();
    await asking;
    const { turns, session } = await chat.client.getSession({ sessionId }, ann);
    expect(turns.map(({ question }) => question).sort()).toEqual(['那换货呢？', '退货的条件是什么？'].sort());
    expect(session?.turnCount).toBe(2);
  });

  test('that is deleted is gone with its turns, and stays gone when an answer in it ends', async () => {
    const ann = await newUser();
    const { sessionId, answerId } = await chat.ask({ question: 'first', createSession: true }, ann);
    const { generate } = chat.script;
    chat.script.generate = async function* () {
      await chat.client.deleteSession({ sessionId }, ann);
      yield* says('Late [1].');
    };
    expect((await chat.ask({ question: 'deleted meanwhile', sessionId }, ann)).text).toBe('Late [1].');
    chat.script.generate = generate;
    expect(await reasonOf(chat.client.getSession({ sessionId }, ann))).toBe('RESOURCE_NOT_FOUND');
    expect(await reasonOf(chat.client.submitFeedback({ answerId, rating: Rating.UP }, ann))).toBe('RESOURCE_NOT_FOUND');
    expect((await chat.client.listSessions({}, ann)).sessions).toEqual([]);
  });

  test('outlives the process', async () => {
    const first = await startChat();
    const { sessionId } = await first.ask({ question: 'kept?', createSession: true });
    await first.mesh.close(true);
    await using second = await startChat({ dataDir: first.mesh.dataDir });
    expect((await second.client.getSession({ sessionId }, await second.mesh.as())).turns).toHaveLength(1);
  });
});

describe('the list of sessions', () => {
  const walk = async (options: CallOptions, pageSize: number) => {
    const pages: string[][] = [];
    let pageToken = '';
    do {
      const page = await chat.client.listSessions({ pageSize, pageToken }, options);
      pages.push(page.sessions.map(({ title }) => title));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');
    return pages;
  };

  test('comes in pages, the latest first, each session once, even if their times are equal', async () => {
    const ann = await newUser();
    for (let number = 0; number < 7; number++) {
      await chat.ask({ question: `question ${number}`, createSession: true }, ann);
      if (number % 3 === 2) nowMs += 10;
    }
    const pages = await walk(ann, 3);
    expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
    const titles = pages.flat();
    expect(new Set(titles).size).toBe(7);
    expect(titles[0]).toBe('question 6');
    expect(titles.slice(1, 4).sort()).toEqual(['question 3', 'question 4', 'question 5']);
    expect(await walk(ann, 7)).toHaveLength(1);
  });

  test('refuses a token that is not its own', async () => {
    for (const pageToken of ['x', Buffer.from('{}').toString('base64url'), Buffer.from('[1]').toString('base64url')]) {
      expect(await reasonOf(chat.client.listSessions({ pageToken }, await newUser()))).toBe('FIELD_INVALID');
    }
  });

  test('ends before sessions that are too old, which are purged with their turns', async () => {
    const ann = await newUser();
    const { sessionId, answerId } = await chat.ask({ question: 'old', createSession: true }, ann);
    nowMs += 31 * 86_400_000;
    const later = await chat.mesh.as(testPrincipal({ user: `user-${userCount}` }));
    expect((await chat.client.listSessions({}, later)).sessions).toEqual([]);
    expect(await reasonOf(chat.client.getSession({ sessionId }, later))).toBe('RESOURCE_NOT_FOUND');
    expect(await reasonOf(chat.ask({ question: 'q', sessionId }, later))).toBe('RESOURCE_NOT_FOUND');
    await chat.ask({ question: 'new', createSession: true }, later);
    const feedback = () => reasonOf(chat.client.submitFeedback({ answerId, rating: Rating.UP }, later));
    await expect.poll(feedback, { timeout: 10_000, interval: 10 }).toBe('RESOURCE_NOT_FOUND');
  });
});

test('feedback is stored, and a later one replaces it', async () => {
  const ann = await newUser();
  const { answerId } = await chat.ask({ question: 'rated', createSession: true }, ann);
  for (const rating of [Rating.UP, Rating.DOWN]) {
    expect(await chat.client.submitFeedback({ answerId, rating, comment: '不错' }, ann)).toBeDefined();
  }
  expect(await reasonOf(chat.client.submitFeedback({ answerId: 'nope', rating: Rating.UP }, ann))).toBe(
    'RESOURCE_NOT_FOUND',
  );
});

test('many concurrent answers are each written once', async () => {
  const ann = await newUser();
  const { sessionId } = await chat.ask({ question: 'begin', createSession: true }, ann);
  await Promise.all(
    Array.from({ length: 40 }, (_, index) => chat.ask({ question: `parallel ${index}`, sessionId }, ann)),
  );
  const { turns, session } = await chat.client.getSession({ sessionId }, ann);
  expect(new Set(turns.map(({ question }) => question)).size).toBe(41);
  expect(session?.turnCount).toBe(41);
});
