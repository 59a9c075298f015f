import { Worker } from 'node:worker_threads';
import { tokenize } from '#kit/text/tokenize.ts';

/**
 * Words of many texts. A text takes some 200 ns a character, so a batch would block the event loop: it goes to a
 * thread.
 */
export interface Tokenizer {
  /** The tokens of each text, joined by spaces, in order. Batches are done one after another. */
  tokenizeAll(texts: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

/** A batch, to the thread. */
export interface TokenizeRequest {
  id: number;
  texts: readonly string[];
}

/** A batch, from the thread. */
export interface TokenizeReply {
  id: number;
  tokens: string[];
}

/** Texts of this length together, in UTF-16 code units, are done at once: a thread would cost more than it saves. */
const maxAtOnce = 4096;

/** The words of a text, as the index holds them. */
export function toTokens(text: string): string {
  return tokenize(text, { mode: 'index' }).join(' ');
}

/** Creates a tokenizer; its thread starts with the first large batch. */
export function createTokenizer(): Tokenizer {
  const pending = new Map<number, { resolve: (tokens: string[]) => void; reject: (error: Error) => void }>();
  let worker: Worker | undefined;
  let lastId = 0;
  let closed = false;
  const fail = (error: Error) => {
    for (const { reject } of pending.values()) reject(error);
    pending.clear();
  };
  const start = (): Worker => {
    const started = new Worker(new URL('./tokenize-worker.ts', import.meta.url), { execArgv: [], name: 'tokenizer' });
    started.on('message', ({ id, tokens }: TokenizeReply) => {
      pending.get(id)?.resolve(tokens);
      pending.delete(id);
      // A reply that comes while the thread is closing must not release the process: `close` waits for the thread's end.
      if (pending.size === 0 && !closed) started.unref();
    });
    started.on('error', (error) => fail(error as Error));
    started.on('exit', () => {
      fail(new Error('the tokenizer has ended'));
      // The next batch gets a thread of its own.
      worker = undefined;
    });
    started.unref();
    return started;
  };
  return {
    async tokenizeAll(texts) {
      if (closed) throw new Error('the tokenizer is closed');
      const length = texts.reduce((sum, text) => sum + text.length, 0);
      if (length <= maxAtOnce) return texts.map(toTokens);
      worker ??= start();
      const thread = worker;
      return new Promise((resolve, reject) => {
        const id = ++lastId;
        pending.set(id, { resolve, reject });
        thread.ref();
        thread.postMessage({ id, texts } satisfies TokenizeRequest);
      });
    },
    async close() {
      closed = true;
      await worker?.terminate();
    },
  };
}
