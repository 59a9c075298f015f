import { fork } from 'node:child_process';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { within } from '#kit/base/within.ts';
import { UnreadableError } from '../../parse/parser.ts';
import type { ParseLimits } from '../prepared.ts';
import type { FromChild, ToChild } from './protocol.ts';

/** A process that parses files, one at a time. */
export interface ParserProcess {
  /** Sends a message and returns the answer. Throws UnreadableError if the process ends, and `late` if the time passes without an answer. */
  exchange(message: ToChild, timeoutMs: number, late: UnreadableError): Promise<FromChild>;
  /** Whether it still runs. */
  readonly isRunning: boolean;
  /** Lets the caller's process end while this one is idle; `false`: no more. */
  setIdle(isIdle: boolean): void;
  /** Kills it; resolves when it is gone. */
  end(): Promise<void>;
}

const compiledCode = new URL('../../../../mesh/kit/host/compiled-code.mjs', import.meta.url);

/** Starts a process. It has none of the environment, because that holds secrets, and ends with the thread that started it. */
export function startParserProcess(
  { memoryBytes, ocr }: Pick<ParseLimits, 'memoryBytes' | 'ocr'>,
  folder: URL,
): ParserProcess {
  const heapMegabytes = Math.floor(memoryBytes / (1 << 20));
  const child = fork(
    new URL('./child.ts', import.meta.url),
    [String(memoryBytes), folder.href, JSON.stringify(ocr ?? null)],
    {
      serialization: 'advanced',
      env: {},
      execArgv: [`--max-old-space-size=${heapMegabytes}`, '--import', compiledCode.href],
      // The fourth is the channel, the fifth the lifeline: see `watchdog.ts`. What a parser prints may hold words of the document.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
    },
  );
  const lifeline = child.stdio[4] as { unref?(): void; ref?(): void; on(event: 'error', listener: () => void): void };
  lifeline.on('error', () => {});
  let waiting: PromiseWithResolvers<FromChild> | undefined;
  let over: UnreadableError | undefined;
  const gone = Promise.withResolvers<void>();
  const lose = (error: UnreadableError) => {
    over ??= error;
    waiting?.reject(over);
  };
  child.on('message', (message) => waiting?.resolve(message as FromChild));
  child.on('error', (error) => {
    lose(new UnreadableError(`could not be read, because no process started (${error.name})`));
    if (child.pid === undefined) gone.resolve();
  });
  child.on('exit', (code, signal) => {
    lose(toUnreadable(code, signal, memoryBytes));
    gone.resolve();
  });

  const setIdle = (isIdle: boolean) => {
    const call = isIdle ? 'unref' : 'ref';
    child[call]();
    child.channel?.[call]();
    lifeline[call]?.();
  };
  const end = () => {
    over ??= new UnreadableError('was not read to its end');
    // An idle one is waited for as well.
    setIdle(false);
    child.kill('SIGKILL');
    return gone.promise;
  };
  return {
    async exchange(message, timeoutMs, late) {
      if (over !== undefined) throw over;
      waiting = Promise.withResolvers();
      const { promise } = waiting;
      // If the message cannot be sent, no one waits for the answer.
      promise.catch(() => {});
      child.send(message, (error) => error !== null && lose(toUnreadable(null, null, memoryBytes)));
      return await within(() => promise, { timeoutMs, toTimeoutError: () => late });
    },
    get isRunning() {
      return over === undefined;
    },
    setIdle,
    end,
  };
}

/** Returns why the process has ended. It is killed by its watchdog, V8 or the system when memory runs out, and crashes for other reasons. */
function toUnreadable(code: number | null, signal: NodeJS.Signals | null, memoryBytes: number): UnreadableError {
  if (signal === 'SIGKILL' || signal === 'SIGABRT' || code === 134) {
    const megabytes = Math.floor(memoryBytes / (1 << 20));
    const message = `needs more than ${megabytes} MiB of memory to read: split it, or raise indexer.parse_memory_bytes`;
    return new UnreadableError(message, ErrorReason.TOO_LARGE);
  }
  return new UnreadableError(`broke the process that read it (${signal ?? code ?? 'closed'}): save it again`);
}
