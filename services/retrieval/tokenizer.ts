import { Worker } from 'node:worker_threads';

/** Words of many texts, made in a thread: a text takes some 200 ns a character, and a batch would block the event loop. */
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

/** Creates a tokenizer; its thread starts with the first batch. */
export function createTokenizer(): Tokenizer {
  const pending = new Map<number, { resolve: (tokens: string[]) => void; reject: (error: Error) => void }>();
  let worker: Worker | undefined;
  let lastId = 0;
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure ??= error;
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  const start = (): Worker => {
    const started = new Worker(new URL('./tokenize-worker.ts', import.meta.url), { execArgv: [], name: 'tokenizer' });
    started.on('message', ({ id, tokens }: TokenizeReply) => {
      pending.get(id)?.resolve(tokens);
      pending.delete(id);
      if (pending.size === 0) started.unref();
    });
    started.on('error', (error) => fail(error as Error));
    started.on('exit', () => fail(new Error('the tokenizer has ended')));
    started.unref();
    return started;
  };
  return {
    tokenizeAll(texts) {
      if (failure !== undefined) return Promise.reject(failure);
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
      fail(new Error('the tokenizer is closed'));
      await worker?.terminate();
    },
  };
}
