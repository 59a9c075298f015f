import type { StagedUpload } from '../uploads/uploads.ts';
import type { PreparedBatch, PrepareOptions } from './prepared.ts';

/** An upload to prepare. */
export interface PrepareTask {
  upload: StagedUpload;
  options: PrepareOptions;
}

/** To the thread: an upload, once it is done with the one before; or leave to send one more batch. */
export type PrepareRequest = { kind: 'task'; task: PrepareTask } | { kind: 'next' };

/** From the thread: a batch, the end of the upload, or why it can't go on. */
export type PrepareReply =
  | { kind: 'batch'; batch: PreparedBatch }
  | { kind: 'done' }
  | { kind: 'failed'; error: unknown };
