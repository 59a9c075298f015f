import type { StagedUpload } from '../uploads.ts';
import type { PreparedBatch, PrepareOptions } from './prepared.ts';

/** What the thread is started with. */
export interface PrepareTask {
  upload: StagedUpload;
  options: PrepareOptions;
}

/** To the thread: one more batch may be sent. */
export type PrepareRequest = { kind: 'next' };

/** From the thread. */
export type PrepareReply = { kind: 'batch'; batch: PreparedBatch } | { kind: 'done' };
