import { createWorkerRpc } from '#kit/base/worker-rpc.ts';
import { tokenize } from '#kit/text/tokenize.ts';

/** Words of many texts. A text takes about 200 ns a character, so that a batch would block the event loop: it goes to a thread. */
export interface Tokenizer {
  /** The tokens of each text, joined by spaces, in order. Batches are done one after another. */
  tokenizeAll(texts: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

/** Longest batch without the thread, in UTF-16 code units: below it, a thread costs more than it saves. */
const maxAtOnce = 4096;

/** The words of a text, as the index holds them. */
export function toTokens(text: string): string {
  return tokenize(text, { mode: 'index' }).join(' ');
}

/** Batches that may wait for the thread. */
const maxPending = 1024;

/** Creates a tokenizer; its thread starts with the first large batch, and again after a crash. */
export function createTokenizer(): Tokenizer {
  const file = new URL('./tokenize-worker.ts', import.meta.url);
  const rpc = createWorkerRpc<readonly string[], string[]>({ file, name: 'tokenizer', maxPending, restarts: true });
  let isClosed = false;
  return {
    async tokenizeAll(texts) {
      if (isClosed) throw new Error('the tokenizer is closed');
      const length = texts.reduce((sum, text) => sum + text.length, 0);
      return length <= maxAtOnce ? texts.map(toTokens) : rpc.call(texts);
    },
    async close() {
      isClosed = true;
      await rpc.close();
    },
  };
}
