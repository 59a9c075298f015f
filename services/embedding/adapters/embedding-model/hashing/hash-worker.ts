import { parentPort } from 'node:worker_threads';
import { serveCalls } from '#kit/base/worker-rpc.ts';
import { estimateTokens } from '#kit/text/tokens-count.ts';
import { hashText } from './hash-text.ts';

// A thread that hashes batches of texts, one after another.

/** To the thread. */
export interface HashJob {
  texts: readonly string[];
  dimensions: number;
}

/** From the thread: vectors one after another in one buffer, which is moved and not copied. */
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

// The adapter hashes short batches itself, with the function above: only in a thread are there calls to serve.
if (parentPort !== null) serveCalls(hashBatch, ({ values }) => [values.buffer]);
