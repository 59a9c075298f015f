import type { Clocks } from '../config.ts';
import { ProviderError } from '../providers/error.ts';
import type { ReadyIterator } from '../providers/event-batches.ts';
import type { Content, ProviderEvent } from '../providers/llm-provider.ts';

/** Longest wait for usage after the end, in milliseconds. No provider needs longer, and the caller waits. */
const afterEndMs = 1000;

/** Events of a provider, with timeouts. */
export interface TimedEvents {
  /**
   * Returns the next event; `undefined` at the end of the stream, and if nothing follows the provider's `end`. Throws a ProviderError of
   * kind "timeout" if a clock expires, the caller's reason if its signal aborts, and the provider's error.
   */
  next(): Promise<ProviderEvent | undefined>;
  /** Returns the next event if it has already arrived. */
  ready(): ProviderEvent | undefined;
  /** Stops the provider's work and releases everything. Later calls change nothing. */
  stop(reason: unknown): void;
}

type Stage = 'head' | 'first' | 'idle' | 'ended';

/** Returns whether an event is content: text, reasoning or a tool call. */
export function isContent(event: ProviderEvent): event is Content {
  switch (event.kind) {
    case 'text':
    case 'reasoning':
      return event.text !== '';
    case 'tool-call':
      return true;
    default:
      return false;
  }
}

/**
 * Starts a provider's work under the clocks. Only content counts as a token: the head, usage, and pings do not stop the clock of the first
 * token. The clock between tokens runs only while the caller waits: a slow consumer is not the provider's fault. The clocks are not
 * built on `within` of the kit, because each token would then start and stop a timer.
 */
export function startTimed(
  start: (signal: AbortSignal) => AsyncIterable<ProviderEvent>,
  clocks: Clocks,
  caller: AbortSignal,
): TimedEvents {
  const work = new AbortController();
  const startedAt = performance.now();
  const totalAt = startedAt + clocks.totalMs;
  const firstAt = Math.min(startedAt + clocks.firstTokenMs, totalAt);
  let stage: Stage = 'head';
  let dueAt = Math.min(startedAt + clocks.headersMs, firstAt);
  // Whether the next wait restarts the clock between tokens.
  let isFresh = false;
  // Whether content followed an end: then no end of this provider is certain before its stream closes.
  let hasReopened = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = 0;
  let waiter: { resolve(event: ProviderEvent | undefined): void; reject(reason: unknown): void } | undefined;
  let isOver = false;

  const onTimer = () => {
    timer = undefined;
    if (waiter === undefined || isOver) return;
    if (performance.now() < dueAt - 1) return arm();
    const waiting = waiter;
    if (stage === 'ended') {
      stop(over);
      waiting.resolve(undefined);
    } else {
      const error = timedOut(stage, clocks, dueAt === totalAt);
      stop(error);
      waiting.reject(error);
    }
  };
  // One timer that rarely changes: a token moves the deadline, and the timer checks it when it fires.
  const arm = () => {
    if (timer !== undefined && timerAt <= dueAt) return;
    clearTimeout(timer);
    timerAt = dueAt;
    timer = setTimeout(onTimer, Math.max(0, dueAt - performance.now()));
  };
  const onAbort = () => {
    const waiting = waiter;
    stop(caller.reason);
    waiting?.reject(caller.reason);
  };
  const note = (event: ProviderEvent) => {
    if (event.kind === 'end') {
      stage = 'ended';
      isFresh = true;
    } else if (isContent(event)) {
      hasReopened ||= stage === 'ended';
      stage = 'idle';
      isFresh = true;
    } else if (stage === 'head') {
      stage = 'first';
      dueAt = firstAt;
    }
  };
  const free = () => {
    isOver = true;
    waiter = undefined;
    clearTimeout(timer);
    caller.removeEventListener('abort', onAbort);
  };
  const stop = (reason: unknown) => {
    if (isOver) return;
    free();
    work.abort(reason);
    // Not awaited: a provider that ignores its signal must not delay the caller.
    iterator?.return?.()?.then(undefined, () => {});
  };

  caller.addEventListener('abort', onAbort, { once: true });
  const iterator: ReadyIterator | undefined = caller.aborted ? undefined : start(work.signal)[Symbol.asyncIterator]();
  const onResult = ({ done, value }: IteratorResult<ProviderEvent>) => {
    if (isOver) return;
    const waiting = waiter;
    waiter = undefined;
    if (done === true) {
      free();
      waiting?.resolve(undefined);
    } else {
      note(value);
      waiting?.resolve(value);
    }
  };
  const onFailure = (error: unknown) => {
    if (isOver) return;
    const waiting = waiter;
    stop(over);
    waiting?.reject(error);
  };
  return {
    next() {
      return new Promise((resolve, reject) => {
        if (caller.aborted) {
          stop(caller.reason);
          return reject(caller.reason);
        }
        if (isOver || iterator === undefined) return resolve(undefined);
        if (isFresh) {
          isFresh = false;
          const waitMs = stage === 'ended' && !hasReopened ? Math.min(afterEndMs, clocks.idleMs) : clocks.idleMs;
          dueAt = Math.min(performance.now() + waitMs, totalAt);
        }
        waiter = { resolve, reject };
        arm();
        iterator.next().then(onResult, onFailure);
      });
    },
    ready() {
      if (isOver) return undefined;
      const event = iterator?.ready?.();
      if (event !== undefined) note(event);
      return event;
    },
    stop,
  };
}

// A shared reason: an abort without one creates a DOMException with a stack for each attempt.
const over = new DOMException('the attempt is over', 'AbortError');

function timedOut(stage: Exclude<Stage, 'ended'>, clocks: Clocks, isTotal: boolean): ProviderError {
  const [code, message] = isTotal
    ? ['total_timeout', `the model did not end within ${clocks.totalMs} ms`]
    : stage === 'head'
      ? [
          'headers_timeout',
          `the model did not answer within ${Math.ceil(Math.min(clocks.headersMs, clocks.firstTokenMs))} ms`,
        ]
      : stage === 'first'
        ? ['first_token_timeout', `the model gave no first token within ${Math.ceil(clocks.firstTokenMs)} ms`]
        : ['idle_timeout', `the model stopped: no further token within ${clocks.idleMs} ms`];
  return new ProviderError({ remedy: 'retry', kind: 'timeout', code, message });
}
