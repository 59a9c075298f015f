import { constants, setPriority } from 'node:os';
import { parentPort, type ResourceLimits, type Transferable, Worker } from 'node:worker_threads';

// Calls to a worker thread: the one place that starts, holds, loses and ends threads. A pool library does not fit: threads here own
// state (connections, snapshots), so a call belongs to one thread, and a crash must be visible to the owner of that state.

/** Why a call to a thread failed: its handler threw, the thread ended, it is closed, or too many calls wait. */
export type WorkerFailure = 'failed' | 'crashed' | 'closed' | 'full';

/** A failed call to a worker thread. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  readonly failure: WorkerFailure;
  /** Numbers and strings of the error that the handler threw: `code`, `errcode`. */
  readonly fields: Readonly<Record<string, string | number>>;
  constructor(failure: WorkerFailure, message: string, fields: Record<string, string | number> = {}, cause?: unknown) {
    super(message, { cause });
    this.failure = failure;
    this.fields = fields;
  }
}

/** What a thread is, and how much may wait for it. */
export interface WorkerOptions {
  /** Its program, which calls {@link serveCalls}. */
  file: URL;
  /** For errors, and in debuggers. */
  name: string;
  /** Calls that may wait for replies; more are refused. */
  maxPending: number;
  /** Whether the next call after a crash starts a new thread; otherwise all later calls fail. @default false */
  restarts?: boolean;
  /**
   * Time without calls after which the thread ends; the next call starts a new one. For threads without state: each holds 13 MB or more, and
   * starts within 40 ms of CPU. @default it stays
   */
  idleMs?: number | undefined;
  /** Runs when the thread ends by itself: its state is lost. Not called after `close`. */
  onCrash?: (error: WorkerError) => void;
  /** Returns the error that a call rejects with. @default the WorkerError itself */
  toError?: (error: WorkerError) => Error;
  workerData?: unknown;
  resourceLimits?: ResourceLimits;
  /** Whether what the thread prints is dropped, because it may contain texts. @default false */
  isSilent?: boolean;
}

/** A worker thread that answers calls. */
export interface WorkerRpc<Request, Reply> {
  /** Sends a request; rejects if the handler throws, the thread ends or is closed, or too many calls wait. */
  call(request: Request, transfer?: readonly Transferable[]): Promise<Reply>;
  /** Calls without a reply yet. */
  readonly pendingCount: number;
  /** Whether there is a thread: after the first call, until it ends. */
  readonly isRunning: boolean;
  /** Rejects what is pending, ends the thread, and resolves when it has ended. */
  close(): Promise<void>;
}

interface Waiter<Reply> {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

interface Call<Request> {
  id: number;
  request: Request;
}

type Answer<Reply> =
  | { id: number; reply: Reply }
  | { id: number; message: string; fields: Record<string, string | number> };

/** Creates a thread that starts with the first call. */
export function createWorkerRpc<Request, Reply>(options: WorkerOptions): WorkerRpc<Request, Reply> {
  const { name, maxPending, restarts = false, idleMs, onCrash = () => {}, toError = (error) => error } = options;
  const pending = new Map<number, Waiter<Reply>>();
  let worker: Worker | undefined;
  let over: WorkerError | undefined;
  let closing: Promise<unknown> | undefined;
  let idling: NodeJS.Timeout | undefined;
  const ending = new Set<Promise<unknown>>();
  let lastId = 0;

  const rejectAll = (error: WorkerError) => {
    const waiters = [...pending.values()];
    pending.clear();
    for (const { reject } of waiters) reject(toError(error));
  };
  const lose = (lost: Worker, cause?: unknown) => {
    // An error is followed by an exit; the first of them counts.
    if (worker !== lost) return;
    worker = undefined;
    const error = new WorkerError('crashed', `the thread "${name}" has ended`, {}, cause);
    if (!restarts) over = error;
    rejectAll(error);
    onCrash(error);
  };
  const end = () => {
    if (worker === undefined) return;
    const ended: Promise<unknown> = worker.terminate().finally(() => ending.delete(ended));
    ending.add(ended);
    worker = undefined;
  };
  const waitForCalls = () => {
    if (idleMs === undefined || closing !== undefined) return;
    if (idling === undefined) idling = setTimeout(() => pending.size === 0 && end(), idleMs).unref();
    else idling.refresh();
  };
  const start = (): Worker => {
    const { file, workerData, resourceLimits, isSilent = false } = options;
    const started = new Worker(file, {
      ...{ execArgv: [], name, workerData, stdout: isSilent, stderr: isSilent },
      ...(resourceLimits && { resourceLimits }),
    });
    if (isSilent) for (const stream of [started.stdout, started.stderr]) stream.resume();
    started.on('message', (answer: Answer<Reply>) => {
      const waiter = pending.get(answer.id);
      pending.delete(answer.id);
      // An idle thread must not keep the process alive; a closing one must, because `close` waits for its end.
      if (pending.size === 0 && closing === undefined) {
        started.unref();
        waitForCalls();
      }
      if ('reply' in answer) waiter?.resolve(answer.reply);
      else waiter?.reject(toError(new WorkerError('failed', answer.message, answer.fields)));
    });
    started.on('error', (error) => lose(started, error));
    started.on('exit', () => lose(started));
    return started;
  };

  return {
    call: (request, transfer) =>
      new Promise((resolve, reject) => {
        if (over !== undefined) return reject(toError(over));
        if (pending.size >= maxPending) {
          return reject(toError(new WorkerError('full', `${maxPending} calls wait for the thread "${name}"`)));
        }
        worker ??= start();
        const id = ++lastId;
        // While a reply is due the process must live, or work would be lost silently.
        if (pending.size === 0) worker.ref();
        pending.set(id, { resolve, reject });
        try {
          worker.postMessage({ id, request } satisfies Call<Request>, transfer);
        } catch (error) {
          pending.delete(id);
          if (pending.size === 0) worker.unref();
          reject(error);
        }
      }),
    get pendingCount() {
      return pending.size;
    },
    get isRunning() {
      return worker !== undefined;
    },
    async close() {
      if (closing === undefined) {
        clearTimeout(idling);
        over = new WorkerError('closed', `the thread "${name}" is closed`);
        end();
        closing = Promise.all(ending);
        rejectAll(over);
      }
      await closing;
    },
  };
}

const noTransfer: readonly Transferable[] = [];

/**
 * Answers the calls of {@link createWorkerRpc}; for the program of the thread. Calls of a synchronous handler run one after another,
 * in the order in which they were made. `transferOf`: buffers of a reply that are moved and not copied.
 */
export function serveCalls<Request, Reply>(
  handle: (request: Request) => Reply | Promise<Reply>,
  transferOf: (reply: Reply) => readonly Transferable[] = () => noTransfer,
): void {
  const port = parentPort;
  if (port === null) throw new Error('serveCalls runs in a worker thread');
  const fail = (id: number, error: unknown) => port.postMessage({ id, ...describe(error) });
  const answer = (id: number, reply: Reply) => {
    try {
      port.postMessage({ id, reply }, transferOf(reply));
    } catch (error) {
      fail(id, error);
    }
  };
  port.on('message', ({ id, request }: Call<Request>) => {
    try {
      const result = handle(request);
      if (result instanceof Promise) {
        result.then(
          (reply) => answer(id, reply),
          (error: unknown) => fail(id, error),
        );
      } else answer(id, result);
    } catch (error) {
      fail(id, error);
    }
  });
}

/**
 * Lets other threads come first; for the program of a thread whose work no caller waits for. Only Linux has a priority for each thread: elsewhere
 * it would be that of the process.
 */
export function yieldToOthers(): void {
  if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
}

function describe(error: unknown): { message: string; fields: Record<string, string | number> } {
  if (!(error instanceof Error)) return { message: String(error), fields: {} };
  const entries = Object.entries(error).filter(([, value]) => typeof value === 'string' || typeof value === 'number');
  return { message: error.message, fields: { name: error.name, ...Object.fromEntries(entries) } };
}
