import { Code, type ConnectError } from '@connectrpc/connect';
import { LRUCache } from 'lru-cache';
import type { Message, SendMessageRequest } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import type { Principal } from '#gen/ragmesh/common/v1/common_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { internal, rpcError } from '#kit/base/errors.ts';
import { actAs } from '#kit/rpc/context.ts';
import { policyOf } from '#kit/rpc/policy.ts';
import type { A2aCall, A2aDeps } from './call.ts';
import { taskIdOf } from './past-tasks.ts';
import { toQuestion } from './request.ts';
import { type RunningTask, runTask } from './running-task.ts';

/** The tasks of this process. */
export type Tasks = ReturnType<typeof createTasks>;

/** Tasks of this process that run, and text of those that have ended, in UTF-16 code units: the latest are kept, with how they ended. */
const maxRunning = 5_000;
const maxEnded = 5_000;
const maxEndedSize = 32 << 20;

/** Creates the table. A task runs until its answer ends, even if its caller leaves. */
export function createTasks({ chat, running, clock, log }: A2aDeps) {
  type Known = { task: RunningTask; principal: Principal };
  const open = new Map<string, Known>();
  const ended = new LRUCache<string, Known>({
    max: maxEnded,
    maxSize: maxEndedSize,
    sizeCalculation: ({ task }) => task.size() + 1000,
  });

  // A failure is the status of its task; a bug is in the log as well.
  const failed = (error: ConnectError) => {
    if (error.code === Code.Internal) log.error({ route: '/a2a', err: error.cause ?? error }, 'task failed');
  };

  const known = (id: string, principal: Principal): RunningTask | undefined => {
    const found = open.get(id) ?? ended.get(id);
    return found !== undefined && isOwn(found.principal, principal) ? found.task : undefined;
  };

  const start = async (
    request: SendMessageRequest & { message: Message },
    { admission: { principal, token }, signal }: A2aCall,
  ): Promise<RunningTask> => {
    const { message } = request;
    const { ask, takesJson } = toQuestion(request);
    if (open.size >= maxRunning) throw overloaded();
    const release = await running.begin(principal);
    const controller = new AbortController();
    const stop = (reason: unknown) => controller.abort(reason);
    const leave = () => stop(signal.reason);
    try {
      // Before its first event an answer ends with its caller; then it is a task.
      signal.addEventListener('abort', leave, { once: true });
      const { timeoutMs } = policyOf(ChatService.method.ask);
      const events = chat.ask(ask, actAs(token, { signal: controller.signal, timeoutMs }))[Symbol.asyncIterator]();
      const first = await events.next();
      if (first.done === true || first.value.event.case !== 'started') {
        throw internal(new Error('the answer began without its first event'));
      }
      const { sessionId, answerId } = first.value.event.value;
      const id = taskIdOf(sessionId, answerId);
      const task = runTask({ id, contextId: sessionId, message, takesJson, events, stop, clock, failed });
      open.set(id, { task, principal });
      void task.ended.then(() => {
        release();
        open.delete(id);
        ended.set(id, { task, principal });
      });
      return task;
    } catch (error) {
      stop(error);
      release();
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  };

  return {
    known,
    start,
    /** Returns the tasks of a caller. */
    of: (principal: Principal): RunningTask[] =>
      [...open.values(), ...ended.values()].flatMap(({ task, principal: owner }) =>
        isOwn(owner, principal) ? [task] : [],
      ),
    /** Waits until no task runs, or until the signal aborts. */
    async drain(signal: AbortSignal): Promise<void> {
      const all = Promise.all([...open.values()].map(({ task }) => task.ended));
      await untilAborted(all, signal);
    },
    /** Stops all tasks. */
    async close(): Promise<void> {
      const tasks = [...open.values()].map(({ task }) => task);
      await Promise.all(tasks.map((task) => Promise.all([task.cancel(), task.ended])));
    },
  };
}

function isOwn(owner: Principal, caller: Principal): boolean {
  // A key that is limited to corpora sees what it has asked itself, and no more.
  const hasSameView = caller.corpora.length === 0 || caller.corpora.join('\n') === owner.corpora.join('\n');
  return owner.tenant === caller.tenant && owner.user === caller.user && hasSameView;
}

function overloaded() {
  return rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, 'too many tasks run: try again later', {
    retryAfterMs: 1000,
  });
}

/** Waits for work, but not longer than until the signal aborts. */
export async function untilAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await Promise.race([work, promise]);
  signal.removeEventListener('abort', onAbort);
}
