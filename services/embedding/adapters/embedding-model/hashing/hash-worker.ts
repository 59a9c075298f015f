import { parentPort } from 'node:worker_threads';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { hashText } from './hash-text.ts';

// A thread that hashes batches of texts, one after another.

/** To the thread. */
export interface HashJob {
  texts: readonly string[];
  dimensions: number;
}

/** From the thread: vectors one after another in one buffer, which is handed over and not copied. */
export interface HashReply {
  values: Float32Array<ArrayBuffer>;
  tokens: number;
}

/** Hashes a batch. */
export function hashBatch({ texts, dimensions }: HashJob): HashReply {
  const values = new Float32Array(texts.length * dimensions);
  let tokens = 0;
  for (const [index, text] of texts.entries()) {
    hashText(text, values.subarray(index * dimensions, (index + 1) * dimensions));
    tokens += estimateTokens(text);
  }
  return { values, tokens };
}

parentPort?.on('message', (job: HashJob) => {
  const reply = hashBatch(job);
  parentPort?.postMessage(reply, [reply.values.buffer]);
});
