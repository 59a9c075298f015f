import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { type Task, TaskState } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { GetSessionResponseSchema, ListSessionsResponseSchema } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerOutcome } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { notFound } from '#kit/base/errors.ts';
import { collect } from '#kit/base/streams.ts';
import { listTasks, readTask, type SessionReads } from './past-tasks.ts';
import { followElsewhere } from './task-elsewhere.ts';

const nowMs = Date.UTC(2026, 0, 1);
const answerAt = (ms: number) => `${ms.toString(36).padStart(9, '0')}0001abcdefgh`;
const turn = (answerId: string, outcome: AnswerOutcome, answer = 'Within 30 days [1].') => ({
  ...{ answerId, question: 'Returns?', answer, outcome, model: 'm' },
  citations: [{ marker: 1, documentId: 'd1' }],
  askedAt: { seconds: BigInt(Math.floor(Number.parseInt(answerId.slice(0, 9), 36) / 1000)), nanos: 0 },
});
const first = answerAt(nowMs - 600_000);
const second = answerAt(nowMs - 300_000);
const sessions: SessionReads = {
  getSession: async ({ sessionId }) => {
    if (sessionId !== 's1') throw notFound('session', sessionId ?? '');
    const turns = [turn(first, AnswerOutcome.ANSWERED), turn(second, AnswerOutcome.TRUNCATED, '')];
    return create(GetSessionResponseSchema, { session: { sessionId }, turns });
  },
  listSessions: async () => create(ListSessionsResponseSchema, { sessions: [{ sessionId: 's1' }] }),
};
const read = (id: string) => readTask(sessions, id, {}, nowMs);

test('a turn of a session is a task for every replica', async () => {
  const task = await read(`s1.${first}`);
  expect(task).toMatchObject({
    contextId: 's1',
    status: { state: TaskState.COMPLETED },
    artifacts: [{ parts: [{ content: { value: 'Within 30 days [1].' } }, { mediaType: 'application/json' }] }],
    history: [{ parts: [{ content: { value: 'Returns?' } }] }],
  });
  const listed = await listTasks(sessions, '', {});
  expect(listed.map(({ id, status }) => [id, status?.state])).toEqual([
    [`s1.${second}`, TaskState.FAILED],
    [`s1.${first}`, TaskState.COMPLETED],
  ]);
});

test('a turn that was stopped is a cancelled task, also without text', async () => {
  const stopped = [turn(first, AnswerOutcome.TRUNCATED, 'Within'), turn(second, AnswerOutcome.TRUNCATED, '')];
  const turns = stopped.map((one) => ({ ...one, stopped: true }));
  const getSession = async () => create(GetSessionResponseSchema, { session: { sessionId: 's1' }, turns });
  const tasks = await listTasks({ ...sessions, getSession }, 's1', {});
  expect(tasks.map(({ status, artifacts }) => [status?.state, artifacts.flatMap(({ parts }) => parts.length)])).toEqual(
    [
      [TaskState.CANCELED, []],
      [TaskState.CANCELED, [1]],
    ],
  );
});

test.each([
  ['runs elsewhere if its session is there and its time is near', `s1.${answerAt(nowMs - 20_000)}`, TaskState.WORKING],
  ['is not known long after its time', `s1.${answerAt(nowMs - 200_000)}`, undefined],
  ['is not known before its time', `s1.${answerAt(nowMs + 3_600_000)}`, undefined],
  ['is not known with an id that has no time', 's1.A1', undefined],
  ['is not known in a session of another user', `s2.${answerAt(nowMs)}`, undefined],
  ['is not known by half an id', 's1', undefined],
])('a task without a turn %s', async (_, id, state) => {
  expect((await read(id))?.status?.state).toBe(state);
});

test('a subscriber follows a task of another process to its end', async () => {
  const answerId = answerAt(nowMs - 1000);
  const turns: ReturnType<typeof turn>[] = [];
  const running: SessionReads = {
    ...sessions,
    getSession: async () => create(GetSessionResponseSchema, { session: { sessionId: 's1' }, turns }),
  };
  const task = await readTask(running, `s1.${answerId}`, {}, nowMs);
  const followed = followElsewhere(running, task as Task, { signal: AbortSignal.timeout(60_000) }, () => nowMs);
  expect((await followed.next()).value?.payload.case).toBe('task');
  turns.push(turn(answerId, AnswerOutcome.ANSWERED));
  expect((await collect(followed)).map(({ payload }) => payload)).toMatchObject([
    { case: 'artifactUpdate', value: { lastChunk: true } },
    { case: 'statusUpdate', value: { status: { state: TaskState.COMPLETED } } },
  ]);
});

test('a task whose process was lost fails for its subscriber', async () => {
  const answerId = answerAt(nowMs - 1000);
  const empty: SessionReads = {
    ...sessions,
    getSession: async () => create(GetSessionResponseSchema, { session: { sessionId: 's1' } }),
  };
  const task = await readTask(empty, `s1.${answerId}`, {}, nowMs);
  const later = () => nowMs + 200_000;
  const followed = followElsewhere(empty, task as Task, { signal: AbortSignal.timeout(60_000) }, later);
  expect((await collect(followed)).at(-1)?.payload).toMatchObject({
    case: 'statusUpdate',
    value: { status: { state: TaskState.FAILED } },
  });
});
