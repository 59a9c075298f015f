import type { CallOptions } from '@connectrpc/connect';
import { type StreamResponse, type Task, TaskState } from '#gen/lf/a2a/v1/a2a_pb.ts';
import { sleep } from '#kit/base/streams.ts';
import { readTask, type SessionReads } from './past-tasks.ts';
import { statusOf } from './progress.ts';
import { event } from './running-task.ts';

/** Time between two looks at the session of a task, in milliseconds. */
const lookEveryMs = 500;

/**
 * Streams a task that runs in another process: as it is now, then its answer in one piece and its last status, when its session has them. A
 * task whose process ended without an answer fails when no answer can come any more.
 */
export async function* followElsewhere(
  chat: SessionReads,
  task: Task,
  options: CallOptions & { signal: AbortSignal },
  clock: () => number,
): AsyncGenerator<StreamResponse> {
  const { id: taskId, contextId } = task;
  const ids = { taskId, contextId };
  yield event({ case: 'task', value: task });
  for (;;) {
    await sleep(lookEveryMs, options.signal);
    const now = await readTask(chat, taskId, options, clock());
    if (now?.status?.state === TaskState.WORKING) continue;
    for (const artifact of now?.artifacts ?? []) {
      yield event({ case: 'artifactUpdate', value: { ...ids, artifact, append: false, lastChunk: true } });
    }
    const lost = {
      state: TaskState.FAILED,
      sinceMs: clock(),
      note: 'the process that ran the task has ended: ask again',
    };
    yield event({ case: 'statusUpdate', value: { ...ids, status: now?.status ?? statusOf(lost, ids) } });
    return;
  }
}
