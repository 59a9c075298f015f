import { deadlineExceeded } from './errors.ts';

/** Bounds of a piece of work. */
export interface Bounds<T> {
  /** Longest time in milliseconds; without it only the signals end the wait. */
  readonly timeoutMs?: number;
  /** The work ends when any of these aborts, with that signal's reason. */
  readonly signals?: readonly (AbortSignal | undefined)[];
  /** Returns the error of a wait that ran out of time; DEADLINE_EXCEEDED by default. */
  readonly toTimeoutError?: (timeoutMs: number) => unknown;
  /** Receives a result that arrives after the wait has ended; such a result is dropped by default. */
  readonly onLate?: (result: T) => void;
}

/**
 * Runs `work` for at most `timeoutMs` and at most until one of `signals` aborts, and returns its result. The wait ends on time even if
 * the work ignores its signal; a later result or error is dropped. A result that has arrived while the process was busy counts as in
 * time. This is the one place in which a promise races against time or a signal.
 */
export function within<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { timeoutMs, signals = [], toTimeoutError = noResult, onLate = () => {} }: Bounds<T>,
): Promise<T> {
  const aborted = signals.find((signal) => signal?.aborted);
  if (aborted !== undefined) return Promise.reject(aborted.reason);
  return new Promise((resolve, reject) => {
    // Made only for work that takes it.
    const controller = work.length > 0 ? new AbortController() : undefined;
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const onAbort = (event: Event) => end((event.target as AbortSignal).reason);
    const release = () => {
      isOver = true;
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', onAbort);
    };
    const end = (reason: unknown) => {
      if (isOver) return;
      release();
      reject(reason);
      controller?.abort(reason);
    };
    if (timeoutMs !== undefined) {
      // One more turn of the loop: what has arrived while the process was busy is read before the wait ends.
      timer = setTimeout(() => setImmediate(() => end(toTimeoutError(timeoutMs))), Math.max(0, timeoutMs));
    }
    for (const signal of signals) signal?.addEventListener('abort', onAbort, { once: true });
    const run = async () => work(controller?.signal ?? unused);
    run().then(
      (result) => {
        if (isOver) return onLate(result);
        release();
        resolve(result);
      },
      (error) => {
        if (isOver) return;
        release();
        reject(error);
      },
    );
  });
}

const unused = new AbortController().signal;

const noResult = (timeoutMs: number) => deadlineExceeded(`no result within ${timeoutMs} ms`);
