import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ConnectError } from '@connectrpc/connect';
import {
  type Message,
  type StreamResponse,
  StreamResponseSchema,
  type Task,
  TaskSchema,
  TaskState,
} from '#gen/lf/a2a/v1/a2a_pb.ts';
import type { AskResponse } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { abortedBy, cancelled, hasReason, toRpcError } from '#kit/base/errors.ts';
import { answerOf, apply, begun, dataPart, end, isOver, type Progress, statusOf, textPart } from './progress.ts';

/** A task of this process, running or ended. */
export interface RunningTask {
  readonly id: string;
  readonly contextId: string;
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<void>;
  isOver(): boolean;
  /** UTF-16 code units of its text. */
  size(): number;
  /** Returns it as it is now. */
  snapshot(): Task;
  /**
   * Streams the task, its text as it comes, and the status with which it ends. A reader that is slow gets more text at a time; nothing is
   * queued for it.
   */
  follow(signal: AbortSignal): AsyncGenerator<StreamResponse>;
  /** Cancels it, and then ends its answer, behind `before`. Does nothing if it has ended. */
  cancel(before?: () => Promise<void>): Promise<void>;
}

/** What a task is made of. */
export interface TaskParts {
  id: string;
  contextId: string;
  /** The message that began it. */
  message: Message;
  takesJson: boolean;
  /** The answer, behind its first event. */
  events: AsyncIterator<AskResponse>;
  /** Ends the answer. */
  stop(reason: unknown): void;
  clock: () => number;
  /** Notes a failure. */
  failed(error: ConnectError): void;
}

const cancelledState = { state: TaskState.CANCELED, note: '' };

/** Longest text of a task, in UTF-16 code units. */
const maxTextLength = 4 << 20;

/** Runs a task until its answer ends, with or without readers. */
export function runTask(parts: TaskParts): RunningTask {
  const { id, contextId, takesJson, events, stop, clock, failed } = parts;
  const ids = { taskId: id, contextId };
  const history = [{ ...parts.message, ...ids }];
  let progress: Progress = begun(clock());
  let changed = Promise.withResolvers<void>();
  const change = (next: Progress) => {
    progress = next;
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  const partsOf = (now: Progress) => [
    ...(now.text === '' ? [] : [textPart(now.text)]),
    ...(takesJson && isOver(now) ? dataPart(now) : []),
  ];
  const run = async () => {
    try {
      for (let next = await events.next(); next.done !== true; next = await events.next()) {
        change(apply(progress, next.value));
        if (progress.text.length <= maxTextLength) continue;
        stop(cancelled());
        return change(end(progress, clock(), { state: TaskState.FAILED, note: 'the answer is too long' }));
      }
      change(end(progress, clock()));
    } catch (thrown) {
      if (isOver(progress)) return;
      const error = toRpcError(thrown);
      // Another process has stopped the answer.
      if (hasReason(error, ErrorReason.CANCELLED)) return change(end(progress, clock(), cancelledState));
      failed(error);
      change(end(progress, clock(), { state: TaskState.FAILED, note: error.rawMessage }));
    }
  };
  const ended = run();

  async function* follow(signal: AbortSignal): AsyncGenerator<StreamResponse> {
    // What the first event shows; more may come while it is sent.
    let { round } = progress;
    let sent = progress.text.length;
    let hasBegun = sent > 0;
    const wasOver = isOver(progress);
    yield event({ case: 'task', value: snapshot() });
    if (wasOver) return;
    for (;;) {
      // All that follows is of one moment.
      const now = progress;
      const next = changed.promise;
      if (now.round !== round) [round, sent, hasBegun] = [now.round, 0, false];
      const isLast = isOver(now);
      const more = [
        ...(now.text.length > sent ? [textPart(now.text.slice(sent))] : []),
        ...(isLast && takesJson ? dataPart(now) : []),
      ];
      if (more.length > 0) {
        const artifact = answerOf(more);
        yield event({ case: 'artifactUpdate', value: { ...ids, artifact, append: hasBegun, lastChunk: isLast } });
        hasBegun = true;
        sent = now.text.length;
      }
      if (isLast) {
        yield event({ case: 'statusUpdate', value: { ...ids, status: statusOf(now, ids) } });
        return;
      }
      if (progress === now) await orAborted(next, signal);
    }
  }

  const snapshot = (): Task => {
    const shown = partsOf(progress);
    const artifacts = shown.length === 0 ? [] : [answerOf(shown)];
    return create(TaskSchema, { id, contextId, status: statusOf(progress, ids), artifacts, history });
  };

  return {
    ...{ id, contextId, ended, snapshot, follow },
    isOver: () => isOver(progress),
    size: () => progress.text.length,
    async cancel(before) {
      if (isOver(progress)) return;
      change(end(progress, clock(), cancelledState));
      try {
        await before?.();
      } finally {
        stop(cancelled());
      }
    },
  };
}

type Payload = NonNullable<MessageInitShape<typeof StreamResponseSchema>['payload']>;

/** Returns an event of a task's stream. */
export function event(payload: Payload): StreamResponse {
  return create(StreamResponseSchema, { payload });
}

/** Waits for a change. Throws if the signal aborts first. */
async function orAborted(change: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw abortedBy(signal);
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(abortedBy(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([change, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
