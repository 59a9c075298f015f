import { Code } from '@connectrpc/connect';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Rating } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { errorInfoOf } from '#kit/base/errors.ts';
import { testPrincipal } from '#kit/testing/mesh.ts';
import { hasPostgres, postgresAdvice, startPostgres, type TestPostgres } from '#kit/testing/postgres.ts';
import { skipped } from '#kit/testing/server.ts';
import { type ChatMesh, gather, says, startChat } from '../testing/chat.ts';

describe.skipIf(!hasPostgres && skipped('postgres', 9, postgresAdvice))('two replicas of chat', () => {
  let server: TestPostgres;
  let url: string;
  let a: ChatMesh;
  let b: ChatMesh;
  const original = new Map<ChatMesh, ChatMesh['script']>();
  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    const config = { storage: { database: url } };
    [a, b] = await Promise.all([startChat({ config }), startChat({ config })]);
    for (const chat of [a, b]) original.set(chat, { ...chat.script });
  });
  afterEach(() => {
    for (const [chat, script] of original) Object.assign(chat.script, script);
  });
  afterAll(async () => {
    await a?.mesh.close();
    await b?.mesh.close();
    await server[Symbol.asyncDispose]();
  });

  const ask = async (chat: ChatMesh, question: string, sessionId = '', user = 'ann') =>
    chat.ask({ question, sessionId, createSession: sessionId === '' }, await chat.mesh.as(testPrincipal({ user })));
  const turnsOf = async (chat: ChatMesh, sessionId: string) =>
    (await chat.client.getSession({ sessionId }, await chat.mesh.as())).turns;
  /** Makes the answers of a replica wait after their first words. */
  const hold = (chat: ChatMesh) => {
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    chat.script.generate = async function* () {
      yield { case: 'textDelta', value: { text: 'Slow [1]' } };
      begun.resolve();
      await held.promise;
      yield* says(' end.');
    };
    return { begun: begun.promise, release: held.resolve };
  };

  test('serve one session in turn: each has the turns that the other has written', async () => {
    const { sessionId } = await ask(a, '退货的条件是什么？');
    const second = await ask(b, '那换货呢？', sessionId);
    expect(second.standalone).toBe('换货的条件是什么？');
    await ask(a, '那维修呢？', sessionId);
    await ask(b, '那退款呢？', sessionId);
    const questions = ['退货的条件是什么？', '那换货呢？', '那维修呢？', '那退款呢？'];
    for (const chat of [a, b]) {
      expect((await turnsOf(chat, sessionId)).map(({ question }) => question)).toEqual(questions);
      const answerId = second.answerId;
      await chat.client.submitFeedback({ answerId, rating: Rating.UP }, await chat.mesh.as());
    }
  });

  test('know a session from its first event on: an answer that was stopped is there for the next question', async () => {
    const { release } = hold(a);
    const controller = new AbortController();
    let sessionId = '';
    let text = '';
    const options = await a.mesh.as(undefined, { signal: controller.signal });
    const stopped = gather(
      a.client.ask({ question: '退货的条件是什么？', createSession: true }, options),
      (_, asked) => {
        ({ sessionId, text } = asked);
        if (text !== '') controller.abort();
      },
    );
    await expect(stopped).rejects.toThrow();
    release();
    const next = await ask(b, '那换货呢？', sessionId);
    expect(next.standalone).toBe('换货的条件是什么？');
    expect((await turnsOf(b, sessionId)).map(({ answer }) => answer)).toEqual([text, 'Seven days [1].']);
  });

  test('keep the turns of a session in the order in which they were asked, whichever ends first', async () => {
    const { sessionId } = await ask(a, 'first');
    const { begun, release } = hold(a);
    const slow = ask(a, 'second', sessionId);
    await begun;
    await ask(b, 'third', sessionId);
    release();
    await slow;
    await ask(b, 'fourth', sessionId);
    expect((await turnsOf(a, sessionId)).map(({ question }) => question)).toEqual([
      'first',
      'second',
      'third',
      'fourth',
    ]);
  });

  test('do not bring back a session that the other has deleted meanwhile', async () => {
    const { begun, release } = hold(a);
    let sessionId = '';
    const options = await a.mesh.as();
    const asking = gather(a.client.ask({ question: 'deleted soon', createSession: true }, options), (_, asked) => {
      ({ sessionId } = asked);
    });
    await begun;
    const mallory = ask(b, 'q', sessionId, 'mallory').catch((error: unknown) => errorInfoOf(error)?.reason);
    expect(await mallory).toBe('RESOURCE_NOT_FOUND');
    await b.client.deleteSession({ sessionId }, await b.mesh.as());
    release();
    await asking;
    const gone = turnsOf(a, sessionId).catch((error: unknown) => errorInfoOf(error)?.reason);
    expect(await gone).toBe('RESOURCE_NOT_FOUND');
  });

  test.each([
    ['with what was shown', 'Seven days [1]. And'],
    ['also before its first word', ''],
  ])('end an answer that the other writes, %s, for its user alone', async (_, text) => {
    const begun = Promise.withResolvers<void>();
    a.script.generate = async function* (_request, { signal }) {
      if (text !== '') yield { case: 'textDelta', value: { text } };
      begun.resolve();
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const seen = { sessionId: '', answerId: '', text: '' };
    const options = await a.mesh.as();
    const asking = gather(a.client.ask({ question: `stop "${text}"`, createSession: true }, options), (_r, asked) => {
      Object.assign(seen, { sessionId: asked.sessionId, answerId: asked.answerId, text: asked.text });
    });
    const stopped = expect(asking).rejects.toMatchObject({ code: Code.Canceled });
    await begun.promise;
    await vi.waitFor(() => {
      expect(seen.answerId).not.toBe('');
      expect(seen.text === '').toBe(text === '');
    }, 10_000);
    const { text: answer, ...ids } = seen;
    await b.client.stopAnswer(ids, await b.mesh.as(testPrincipal({ user: 'mallory' })));
    expect(await turnsOf(b, ids.sessionId)).toEqual([]);
    await b.client.stopAnswer(ids, await b.mesh.as());
    await stopped;
    for (const chat of [a, b]) {
      const turn = { answer, answerId: ids.answerId, stopped: true, outcome: AnswerOutcome.TRUNCATED };
      expect(await turnsOf(chat, ids.sessionId)).toMatchObject([turn]);
    }
    // Nothing is in flight.
    await b.client.stopAnswer(ids, await b.mesh.as());
  });

  test('end the answer of a replica that is gone as an interrupted one', async () => {
    const { sessionId } = await ask(a, 'first');
    const answerId = 'gone-1';
    const insert = `INSERT INTO ragmesh_chat.open_ask (session_id, tenant, "user", answer_id, question, replica, opened_at)
      VALUES ($1, 'acme', 'ann', $2, 'second', 'gone', $3)`;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(insert, [sessionId, answerId, Date.now()]);
    await client.end();
    await b.client.stopAnswer({ sessionId, answerId }, await b.mesh.as());
    const [, turn] = await turnsOf(a, sessionId);
    expect(turn).toMatchObject({ question: 'second', answer: '', stopped: false, outcome: AnswerOutcome.TRUNCATED });
  });

  test('write turns of the same sessions concurrently, each once, beside deletions', async () => {
    const sessions = await Promise.all(
      Array.from(
        { length: 20 },
        async (_, index) => (await ask(index % 2 === 0 ? a : b, `session ${index}`)).sessionId,
      ),
    );
    const doomed = new Set(sessions.slice(0, 5));
    const asked = sessions.flatMap((sessionId, at) =>
      Array.from({ length: 6 }, async (_, index) => {
        const answer = ask((at + index) % 2 === 0 ? a : b, `q ${index}`, sessionId);
        if (doomed.has(sessionId)) return answer.catch(() => undefined);
        expect((await answer).done?.degradations).toEqual([]);
      }),
    );
    const deleted = [...doomed].map(async (sessionId) => b.client.deleteSession({ sessionId }, await b.mesh.as()));
    await Promise.all([...asked, ...deleted]);
    for (const sessionId of sessions.slice(5)) {
      const turns = await turnsOf(a, sessionId);
      expect(new Set(turns.map(({ answerId }) => answerId)).size).toBe(7);
      const { session } = await b.client.getSession({ sessionId }, await b.mesh.as());
      expect(session?.turnCount).toBe(7);
    }
  });

  test('answer without their store, say what is missing, and continue when it is back', async () => {
    const { sessionId } = await ask(a, 'first');
    await server.stop();
    const away = await ask(a, 'new one');
    expect(away.text).toBe('Seven days [1].');
    expect(away.done?.degradations.map(({ effect }) => effect)).toEqual(['the turn is not in the session']);
    const reason = ask(a, 'second', sessionId).catch((error: unknown) => errorInfoOf(error)?.reason);
    expect(await reason).toBe('DEPENDENCY_UNAVAILABLE');
    await expect
      .poll(() => a.mesh.host.readiness().find(({ service }) => service === 'chat')?.notReady, {
        timeout: 20_000,
      })
      .toMatch(/^storage\.database: the database/);
    await server.start();
    await expect
      .poll(() => a.mesh.host.readiness().find(({ service }) => service === 'chat')?.notReady, {
        timeout: 20_000,
      })
      .toBeUndefined();
    await ask(b, 'second', sessionId);
    expect(await turnsOf(a, sessionId)).toHaveLength(2);
  });
});
