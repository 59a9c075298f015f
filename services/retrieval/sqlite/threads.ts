import { Code } from '@connectrpc/connect';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { rpcError } from '#kit/base/errors.ts';
import { createSqliteThread, type SqliteThread } from '#kit/storage/sqlite/thread.ts';

/**
 * The threads of the embedded stores: one writer, so that writes never wait for locks, and several readers. When all cores are busy, the writer gets
 * a small share of them: searches come first, and what it commits is not less durable.
 */
export interface SqliteThreads {
  readonly writer: SqliteThread;
  readonly readerCount: number;
  /**
   * Runs a query in the least busy reader. The query waits while every reader is busy, and does not start once `signal` aborts. Throws
   * RESOURCE_EXHAUSTED if too many queries wait.
   */
  read<T>(signal: AbortSignal, work: (reader: SqliteThread, readerIndex: number) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Queries of a reader: one that runs and one that follows without a gap. Those that wait can still be cancelled. */
const heldByReader = 2;

/** Most queries that may wait for a reader. */
const maxWaiting = 10_000;

interface Waiter {
  take(readerIndex: number): void;
}

/** Starts the threads. `isUsed`: whether they start now; otherwise with the first use, which may never come. */
export function createSqliteThreads(readerCount: number, isUsed = true): SqliteThreads {
  let started: { writer: SqliteThread; readers: SqliteThread[] } | undefined;
  const start = () => {
    started ??= {
      writer: createSqliteThread({ yields: true }),
      readers: Array.from({ length: readerCount }, () => createSqliteThread()),
    };
    return started;
  };
  if (isUsed) start();
  const held = Array.from({ length: readerCount }, () => 0);
  const waiting = new Set<Waiter>();

  const acquire = (signal: AbortSignal): number | Promise<number> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    const least = held.indexOf(Math.min(...held));
    if ((held[least] as number) < heldByReader) {
      held[least] = (held[least] as number) + 1;
      return least;
    }
    if (waiting.size >= maxWaiting) {
      const message = `${maxWaiting} queries wait for a thread: try again shortly`;
      throw rpcError(Code.ResourceExhausted, ErrorReason.OVERLOADED, message, { retryAfterMs: 200 });
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        waiting.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        take(readerIndex) {
          signal.removeEventListener('abort', onAbort);
          resolve(readerIndex);
        },
      };
      waiting.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  };
  const release = (readerIndex: number) => {
    const [next] = waiting;
    if (next === undefined) {
      held[readerIndex] = (held[readerIndex] as number) - 1;
      return;
    }
    waiting.delete(next);
    next.take(readerIndex);
  };

  return {
    get writer() {
      return start().writer;
    },
    readerCount,
    async read(signal, work) {
      const readerIndex = await acquire(signal);
      try {
        return await work(start().readers[readerIndex] as SqliteThread, readerIndex);
      } finally {
        release(readerIndex);
      }
    },
    async close() {
      if (started === undefined) return;
      await Promise.all([started.writer, ...started.readers].map((thread) => thread.close()));
    },
  };
}
