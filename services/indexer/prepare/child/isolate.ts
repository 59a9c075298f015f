import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { PageWish, RenderedPage } from '../../parse/page-image.ts';
import { type Parser, UnreadableError } from '../../parse/parser.ts';
import type { ParseLimits } from '../prepared.ts';
import { type ParserProcess, startParserProcess } from './parser-process.ts';
import type { FromChild, ToChild } from './protocol.ts';

type Result = Extract<FromChild, { kind: 'parsed' | 'rendered' }>;

/** Runs parsers in a child process. */
export interface Isolation {
  /** Returns a parser that runs the adapter of that name in a child process; `parser` says what it reads. */
  isolate(name: string, parser: Pick<Parser, 'mediaTypes' | 'endings' | 'isList'>): Parser;
  /** Returns a page of a file as an image, by the adapter of that name in a child process. Throws UnreadableError. */
  renderPage(name: string, bytes: AsyncIterable<Uint8Array>, wish: PageWish): Promise<RenderedPage>;
  /** Kills the processes; resolves when they are gone. Nothing can be parsed afterwards. */
  close(): Promise<void>;
}

/** Share of the memory limit that a process may hold between two files; above it, the next file gets a new process. */
const restShare = 0.4;

/**
 * Creates the isolation of the parsers in a folder. Each running parse has a process of its own; one that has read its file to the end waits for the next file, because a
 * start takes a quarter of a second. A process that was killed or crashed is replaced. `idleMs`: time after which one that waits is ended; `undefined`: never.
 */
export function createIsolation(limits: ParseLimits, folder: URL, idleMs?: number): Isolation {
  const all = new Set<ParserProcess>();
  let idle: ParserProcess | undefined;
  let isClosed = false;
  let ending: NodeJS.Timeout | undefined;

  const end = async (ended: ParserProcess) => {
    await ended.end();
    all.delete(ended);
  };

  const endIdle = async () => {
    const ended = idle;
    idle = undefined;
    if (ended !== undefined) await end(ended);
  };

  const acquire = (): ParserProcess => {
    clearTimeout(ending);
    if (isClosed) throw new Error('the parsers are closed');
    const found = idle?.isRunning === true ? idle : startParserProcess(limits, folder);
    all.add(found);
    idle = undefined;
    found.setIdle(false);
    return found;
  };
  const release = (used: ParserProcess, rssBytes: number) => {
    if (idle?.isRunning === true || rssBytes > limits.memoryBytes * restShare) return void end(used);
    used.setIdle(true);
    idle = used;
    if (idleMs !== undefined) ending = setTimeout(() => void endIdle(), idleMs).unref();
  };

  /** Gives a process its order and the bytes that it asks for, and yields its results. Throws UnreadableError. */
  async function* converse(first: ToChild, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Result> {
    const process = acquire();
    const parts = bytes[Symbol.asyncIterator]();
    let leftMs = limits.totalMs;
    let heldBytes: number | undefined;
    const exchange = async (message: ToChild) => {
      const startedAt = performance.now();
      const isShort = leftMs < limits.stallMs;
      const late = isShort ? tooLong(limits.totalMs, 'total') : tooLong(limits.stallMs, 'stall');
      const answer = await process.exchange(message, isShort ? leftMs : limits.stallMs, late);
      leftMs -= performance.now() - startedAt;
      return answer;
    };
    try {
      let answer = await exchange(first);
      for (;;) {
        switch (answer.kind) {
          case 'read': {
            const part = await parts.next();
            answer = await exchange({ kind: 'bytes', bytes: part.done === true ? undefined : part.value });
            break;
          }
          case 'parsed':
          case 'rendered':
            yield answer;
            answer = await exchange({ kind: 'continue' });
            break;
          case 'done':
            heldBytes = answer.rssBytes;
            return;
          case 'unreadable':
            heldBytes = answer.rssBytes;
            throw new UnreadableError(answer.message, answer.reason, answer.line);
          case 'failed':
            heldBytes = answer.rssBytes;
            throw new UnreadableError(`cannot be read (${answer.name}): correct it, or convert it to another format`);
          default:
            answer satisfies never;
        }
      }
    } finally {
      await parts.return?.();
      if (heldBytes === undefined) void end(process);
      else release(process, heldBytes);
    }
  }

  return {
    isolate: (name, { mediaTypes, endings, isList }) => ({
      ...{ mediaTypes, endings, isList },
      async *parse(file, bytes) {
        for await (const result of converse({ kind: 'parse', parser: name, file }, bytes)) {
          if (result.kind === 'parsed') yield result.parsed;
        }
      },
    }),
    async renderPage(name, bytes, wish) {
      let page: RenderedPage | undefined;
      for await (const result of converse({ kind: 'render', parser: name, wish }, bytes)) {
        if (result.kind === 'rendered') page = result.page;
      }
      if (page === undefined) throw new UnreadableError('has no pages to show');
      return page;
    },
    async close() {
      isClosed = true;
      clearTimeout(ending);
      await Promise.all([...all].map(end));
    },
  };
}

function tooLong(limitMs: number, which: 'stall' | 'total'): UnreadableError {
  const what = which === 'stall' ? 'a part of it takes' : 'it takes';
  const message = `${what} more than ${limitMs / 1000} s to read: split the file, or raise indexer.parse_${which}_ms`;
  return new UnreadableError(message, ErrorReason.TOO_LARGE);
}
