import { createWorkerRpc } from '#kit/base/worker-rpc.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Splits texts into words. It takes about 200 ns per character, so large batches run in a thread and do not block the event loop. */
export interface Tokenizer {
  /** Returns the tokens of each text, joined by spaces, in order. Batches run one after another. */
  tokenizeAll(texts: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

/** Longest batch without the thread, in UTF-16 code units: below it, a thread costs more than it saves. */
const maxInline = 4096;

/** Returns the tokens of a text, joined by spaces, in the form of the index. */
export function toTokens(text: string): string {
  return tokenize(text, { mode: 'index' }).join(' ');
}

/** Batches that may wait for the thread. */
const maxPending = 1024;
/** Time after which the idle thread ends. */
const idleMs = 2_000;

/** Creates a tokenizer; its thread starts with the first large batch, and again after a crash. */
export function createTokenizer(): Tokenizer {
  const file = new URL('./tokenize-worker.ts', import.meta.url);
  const options = { file, name: 'tokenizer', maxPending, restarts: true, idleMs };
  const rpc = createWorkerRpc<readonly string[], string[]>(options);
  let isClosed = false;
  return {
    async tokenizeAll(texts) {
      if (isClosed) throw new Error('the tokenizer is closed');
      const length = texts.reduce((sum, text) => sum + text.length, 0);
      return length <= maxInline ? texts.map(toTokens) : rpc.call(texts);
    },
    async close() {
      isClosed = true;
      await rpc.close();
    },
  };
}
