import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';

/** Options of {@link createGroupCommit}. */
export interface GroupCommitOptions<In, Out> {
  /** Most values that wait. */
  maxQueued: number;
  /** Most bytes of values that wait. */
  maxQueuedBytes: number;
  /** Most values in a batch. */
  maxBatch: number;
  /** Writes a batch durably; returns for each value, in order, its result or the reason of the refusal. */
  commit(batch: readonly In[]): Promise<readonly (Out | Error)[]>;
}

/** Writes that arrive together share one commit, and so one flush of the disk. */
export interface GroupCommit<In, Out> {
  /** Resolves when the value is durable. Rejects with RESOURCE_EXHAUSTED if too much waits, or with the reason of the refusal. */
  append(value: In, sizeBytes: number): Promise<Out>;
  /** Resolves when nothing waits. */
  idle(): Promise<void>;
}

/** Creates a group commit. A batch is what arrived while the batch before was written; no value waits for others. */
export function createGroupCommit<In, Out>(options: GroupCommitOptions<In, Out>): GroupCommit<In, Out> {
  interface Waiter {
    value: In;
    sizeBytes: number;
    resolve(result: Out): void;
    reject(error: unknown): void;
  }
  let queue: Waiter[] = [];
  let queuedBytes = 0;
  let running: Promise<void> | undefined;

  const run = async () => {
    // The first batch has everything of this turn of the event loop.
    await new Promise(setImmediate);
    while (queue.length > 0) {
      const batch = queue.slice(0, options.maxBatch);
      queue = queue.slice(options.maxBatch);
      for (const { sizeBytes } of batch) queuedBytes -= sizeBytes;
      try {
        const results = await options.commit(batch.map(({ value }) => value));
        for (const [index, { resolve, reject }] of batch.entries()) {
          const result = results[index] as Out | Error;
          if (result instanceof Error) reject(result);
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = undefined;
  };

  return {
    append: (value, sizeBytes) =>
      new Promise((resolve, reject) => {
        if (queue.length >= options.maxQueued || queuedBytes + sizeBytes > options.maxQueuedBytes) {
          const message = `${queue.length} records wait to be written: try again`;
          reject(rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 500 }));
          return;
        }
        queue.push({ value, sizeBytes, resolve, reject });
        queuedBytes += sizeBytes;
        running ??= run();
      }),
    idle: () => running ?? Promise.resolve(),
  };
}
