import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import {
  type CancelTaskRequest,
  type GetTaskRequest,
  type ListTasksRequest,
  type ListTasksResponseSchema,
  type SendMessageRequest,
  type StreamResponse,
  type SubscribeToTaskRequest,
  type Task,
  TaskState,
} from '#gen/lf/a2a/v1/a2a_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { actAs } from '#kit/rpc/context.ts';
import { badField } from '../http/parse-fields.ts';
import type { A2aCall, A2aDeps } from './call.ts';
import { a2aError, taskNotFound } from './errors.ts';
import { listTasks, parseTaskId, readTask, sinceMs } from './past-tasks.ts';
import type { RunningTask } from './running-task.ts';
import { followElsewhere } from './task-elsewhere.ts';
import { createTasks, untilAborted } from './tasks.ts';

/** The agent: what each binding of the protocol calls. */
export type A2aAgent = ReturnType<typeof createA2aAgent>;

/** Tasks of a page if the request names no number. */
const defaultPageSize = 50;

/** Creates the agent. A task runs in this process until its answer ends, even if its caller leaves. */
export function createA2aAgent(deps: A2aDeps) {
  const { chat, clock, log } = deps;
  const tasks = createTasks(deps);

  const read = async (id: string, token: string, signal: AbortSignal): Promise<Task> => {
    const task = await readTask(chat, id, actAs(token, { signal }), clock());
    if (task === undefined) throw taskNotFound(id);
    return task;
  };

  const start = async (request: SendMessageRequest, call: A2aCall): Promise<RunningTask> => {
    requireTenant(request.tenant, call);
    const { message } = request;
    if (message === undefined) throw badField('message', 'is missing');
    if (message.taskId === '') return tasks.start({ ...request, message }, call);
    const { principal, token } = call.admission;
    const found =
      tasks.known(message.taskId, principal)?.snapshot() ?? (await read(message.taskId, token, call.signal));
    throw a2aError(
      'UNSUPPORTED_OPERATION',
      `a task takes one message: send this one with context_id "${found.contextId}" and no task_id`,
    );
  };

  return {
    /** Asks; returns the task when it has ended, or immediately if the request says so. */
    async sendMessage(request: SendMessageRequest, call: A2aCall) {
      const task = await start(request, call);
      if (request.configuration?.returnImmediately !== true) await endOf(task, call.signal);
      const shown = withHistory(task.snapshot(), request.configuration?.historyLength);
      return { payload: { case: 'task' as const, value: shown } };
    },
    /** Asks; streams the task. */
    async *sendStreamingMessage(request: SendMessageRequest, call: A2aCall): AsyncGenerator<StreamResponse> {
      const task = await start(request, call);
      yield* task.follow(call.signal);
    },
    async getTask({ tenant, id, historyLength }: GetTaskRequest, call: A2aCall): Promise<Task> {
      requireTenant(tenant, call);
      const { principal, token } = call.admission;
      const task = tasks.known(id, principal)?.snapshot() ?? (await read(id, token, call.signal));
      return withHistory(task, historyLength);
    },
    async listTasks(
      request: ListTasksRequest,
      call: A2aCall,
    ): Promise<MessageInitShape<typeof ListTasksResponseSchema>> {
      requireTenant(request.tenant, call);
      const { principal, token } = call.admission;
      const past = await listTasks(chat, request.contextId, actAs(token, { signal: call.signal }));
      const ofProcess = tasks
        .of(principal)
        .map((task) => task.snapshot())
        .filter(({ contextId }) => request.contextId === '' || contextId === request.contextId);
      const live = new Map(ofProcess.map((task) => [task.id, task]));
      const all = [...live.values(), ...past.filter(({ id }) => !live.has(id))].sort((a, b) => sinceMs(b) - sinceMs(a));
      return pageOf(all, request);
    },
    async cancelTask({ tenant, id }: CancelTaskRequest, call: A2aCall): Promise<Task> {
      requireTenant(tenant, call);
      const { principal, token } = call.admission;
      const task = tasks.known(id, principal);
      const ids = parseTaskId(id);
      const now = task?.snapshot() ?? (await read(id, token, call.signal));
      if (now.status?.state !== TaskState.WORKING || ids === undefined) throw notCancelable();
      const stop = async () => void (await chat.stopAnswer(ids, actAs(token, { signal: call.signal })));
      if (task !== undefined) {
        await task.cancel(() =>
          stop().catch((err: unknown) => log.warn({ event: 'stop_unknown', err }, 'other replicas not notified')),
        );
        return task.snapshot();
      }
      await stop();
      const ended = await read(id, token, call.signal);
      const isStopped = ended.status?.state === TaskState.CANCELED || ended.status?.state === TaskState.FAILED;
      if (!isStopped) throw notCancelable();
      return ended;
    },
    /** Streams a running task; the answer of one that runs in another process comes in one piece. */
    async *subscribeToTask({ tenant, id }: SubscribeToTaskRequest, call: A2aCall): AsyncGenerator<StreamResponse> {
      requireTenant(tenant, call);
      const { admission, signal } = call;
      const { principal, token } = admission;
      const task = tasks.known(id, principal);
      const now = task?.snapshot() ?? (await read(id, token, signal));
      if (now.status?.state !== TaskState.WORKING) {
        throw a2aError('UNSUPPORTED_OPERATION', 'the task has ended: read it by GetTask');
      }
      yield* task?.follow(signal) ?? followElsewhere(chat, now, { ...actAs(token, { signal }), signal }, clock);
    },
    drain: tasks.drain,
    close: tasks.close,
  };
}

function notCancelable() {
  return a2aError('TASK_NOT_CANCELABLE', 'the task has ended');
}

function requireTenant(tenant: string, { admission: { principal } }: A2aCall): void {
  if (tenant === '' || tenant === principal.tenant) return;
  throw rpcError(
    Code.PermissionDenied,
    ErrorReason.TENANT_MISMATCH,
    'tenant is not the tenant of your credentials: leave it out, or use credentials of that tenant',
  );
}

/** A caller that leaves stops waiting; its task continues. */
async function endOf(task: RunningTask, signal: AbortSignal): Promise<void> {
  await untilAborted(task.ended, signal);
}

function withHistory(task: Task, length: number | undefined): Task {
  return length === undefined || length >= task.history.length
    ? task
    : { ...task, history: length === 0 ? [] : task.history.slice(-length) };
}

function pageOf(tasks: readonly Task[], request: ListTasksRequest) {
  const { status, pageToken, historyLength, includeArtifacts, statusTimestampAfter } = request;
  const pageSize = request.pageSize ?? defaultPageSize;
  const fromMs = statusTimestampAfter === undefined ? 0 : timestampMs(statusTimestampAfter);
  const matching = tasks.filter(
    (task) => (status === TaskState.UNSPECIFIED || task.status?.state === status) && sinceMs(task) >= fromMs,
  );
  const offset = pageToken === '' ? 0 : offsetOf(pageToken);
  const page = matching
    .slice(offset, offset + pageSize)
    .map((task) => ({ ...withHistory(task, historyLength), ...(includeArtifacts !== true && { artifacts: [] }) }));
  const next = offset + pageSize;
  return {
    tasks: page,
    nextPageToken: next < matching.length ? String(next) : '',
    ...{ pageSize, totalSize: matching.length },
  };
}

function offsetOf(pageToken: string): number {
  if (!/^\d{1,6}$/.test(pageToken)) throw badField('page_token', 'is none that a page ended with');
  return Number(pageToken);
}
