import { z } from 'zod';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import type { EmbeddedBatch, EmbeddingModel } from '../../../models/embedding-model.ts';
import { createThreadPool } from '../../../models/thread-pool.ts';
import { hashingVersion } from './hash-text.ts';
import { type HashJob, type HashReply, hashBatch } from './hash-worker.ts';

/** Longest texts together that are hashed on the event loop, in UTF-16 code units: about a millisecond. Longer ones go to a thread. */
const inlineLength = 4096;
/** Questions that are embedded at the start, and how often: some 10 ms together. The engine compiles for each of the three kinds apart. */
const warmUpTexts = [
  '如何修改账号密码和退款',
  'how do I change my account, password or order',
  '如何修改 password of my account',
];
const warmUpCount = 50;
/** Time after which an idle thread ends: it has nothing to lose, and starts in some 40 ms. */
const idleMs = 2_000;

/**
 * The embedded default: feature hashing of Chinese and English words and their parts. No model file, key or network; it finds
 * shared words and near forms of them, not synonyms.
 */
export const adapter = defineAdapter({
  settings: {
    dimensions: z.int().min(64).max(8192).default(256),
    threads: z.int().min(1).max(16).default(2),
  },
  create({ dimensions, threads }): EmbeddingModel {
    const file = new URL('./hash-worker.ts', import.meta.url);
    // The first question finds compiled code.
    for (let count = 0; count < warmUpCount; count++) hashBatch({ texts: warmUpTexts, dimensions });
    const pool = createThreadPool<HashJob, HashReply>({ file, name: 'hashing', threadCount: threads, idleMs });
    return {
      name: `hashing-v${hashingVersion}-${dimensions}`,
      dimensions,
      maxBatch: 64,
      maxBatchTokens: 0,
      maxConcurrent: threads,
      maxInputTokens: 0,
      async embed(texts, _purpose, signal) {
        signal.throwIfAborted();
        const length = texts.reduce((sum, text) => sum + text.length, 0);
        const job = { texts, dimensions };
        return toBatch(length <= inlineLength ? hashBatch(job) : await pool.run(job, signal), dimensions);
      },
      close: () => pool.close(),
    };
  },
});

function toBatch({ values, tokens }: HashReply, dimensions: number): EmbeddedBatch {
  const vectors = Array.from({ length: values.length / dimensions }, (_, index) =>
    values.subarray(index * dimensions, (index + 1) * dimensions),
  );
  return { vectors, promptTokens: tokens, reported: false };
}
