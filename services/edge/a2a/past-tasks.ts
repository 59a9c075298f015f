import { create } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { CallOptions, Client } from '@connectrpc/connect';
import { Code } from '@connectrpc/connect';
import { Role, type Task, TaskSchema, TaskState } from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { ChatService, Turn } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { AnswerDoneSchema } from '#gen/ragmesh/common/v1/answer_pb.ts';
import { toRpcError } from '#kit/base/errors.ts';
import { answerOf, dataPart, stateOf, statusOf, textPart } from './progress.ts';

// Tasks that ended are turns of sessions, which every replica reads. Only how a task failed without any text is known to its process alone.

/** The reads of sessions. */
export type SessionReads = Pick<Client<typeof ChatService>, 'getSession' | 'listSessions'>;

/** Sessions whose turns are listed. */
const maxSessions = 20;

/** Time that an answer may take with its records, in milliseconds: longer than the deadline of Ask. */
const lostAfterMs = 150_000;

/** Returns the id of a task: those of its session and of its answer. */
export function taskIdOf(sessionId: string, answerId: string): string {
  return `${sessionId}.${answerId}`;
}

/** Returns the ids in the id of a task; `undefined` if it is none. */
export function parseTaskId(id: string): { sessionId: string; answerId: string } | undefined {
  const [, sessionId, answerId] = /^([\w-]{1,64})\.([\w-]{1,64})$/.exec(id) ?? [];
  return sessionId === undefined || answerId === undefined ? undefined : { sessionId, answerId };
}

/** Returns the caller's task of a session; `undefined` if there is none. */
export async function readTask(
  chat: SessionReads,
  id: string,
  options: CallOptions,
  nowMs: number,
): Promise<Task | undefined> {
  const ids = parseTaskId(id);
  if (ids === undefined) return undefined;
  const { sessionId, answerId } = ids;
  const turns = await turnsOf(chat, sessionId, options);
  const turn = turns?.find((known) => known.answerId === answerId);
  if (turn !== undefined) return toTask(sessionId, turn);
  const askedAtMs = timeOf(answerId);
  const ageMs = nowMs - askedAtMs;
  if (turns === undefined || !(ageMs > -60_000 && ageMs < lostAfterMs)) return undefined;
  // The session is there and the turn is not written yet: another process answers it.
  const status = statusOf(
    { state: TaskState.WORKING, sinceMs: askedAtMs, note: '' },
    { taskId: id, contextId: sessionId },
  );
  return create(TaskSchema, { id, contextId: sessionId, status });
}

/** Returns the tasks of a session, or of the caller's latest sessions, the latest first. */
export async function listTasks(chat: SessionReads, sessionId: string, options: CallOptions): Promise<Task[]> {
  if (sessionId !== '') {
    const turns = (await turnsOf(chat, sessionId, options)) ?? [];
    return turns.map((turn) => toTask(sessionId, turn)).reverse();
  }
  const { sessions } = await chat.listSessions({ pageSize: maxSessions }, options);
  const tasks: Task[] = [];
  for (const { sessionId: id } of sessions) {
    for (const turn of (await turnsOf(chat, id, options)) ?? []) tasks.push(toTask(id, turn));
  }
  return tasks.sort((a, b) => sinceMs(b) - sinceMs(a));
}

/** Returns the time of a task's status, in milliseconds since 1970. */
export function sinceMs({ status }: Task): number {
  return status?.timestamp === undefined ? 0 : timestampMs(status.timestamp);
}

async function turnsOf(chat: SessionReads, sessionId: string, options: CallOptions): Promise<Turn[] | undefined> {
  try {
    return (await chat.getSession({ sessionId }, options)).turns;
  } catch (thrown) {
    if (toRpcError(thrown).code === Code.NotFound) return undefined;
    throw thrown;
  }
}

function toTask(sessionId: string, turn: Turn): Task {
  const id = taskIdOf(sessionId, turn.answerId);
  const ids = { taskId: id, contextId: sessionId };
  const sinceMs = turn.askedAt === undefined ? 0 : timestampMs(turn.askedAt);
  const done = create(AnswerDoneSchema, {
    ...{ answerId: turn.answerId, sessionId, outcome: turn.outcome, model: turn.model },
  });
  const data = dataPart({ done, citations: turn.citations, usage: undefined, waiting: [] });
  const parts = [...(turn.answer === '' ? [] : [textPart(turn.answer)]), ...(turn.stopped ? [] : data)];
  const state = turn.stopped ? { state: TaskState.CANCELED, note: '' } : stateOf(turn.outcome);
  return create(TaskSchema, {
    ...{ id, contextId: sessionId, artifacts: parts.length === 0 ? [] : [answerOf(parts)] },
    status: statusOf({ ...state, sinceMs }, ids),
    history: [
      {
        ...{ messageId: turn.answerId, ...ids, role: Role.USER },
        parts: [{ content: { case: 'text', value: turn.question }, mediaType: 'text/plain' }],
      },
    ],
  });
}

/** The ids of answers begin with their time; `NaN` for one that does not. */
function timeOf(answerId: string): number {
  return /^[0-9a-z]{9}/.test(answerId) ? Number.parseInt(answerId.slice(0, 9), 36) : Number.NaN;
}
