import type { StagedUpload } from '../uploads/uploads.ts';
import type { PreparedBatch, PrepareOptions } from './prepared.ts';

/** An upload to prepare. */
export interface PrepareTask {
  upload: StagedUpload;
  options: PrepareOptions;
}

/** To the thread: an upload, once the one before has ended; or a call for its next batch. */
export type PrepareRequest = { kind: 'begin'; task: PrepareTask } | { kind: 'next' };

/** From the thread: a batch, or `undefined` at the end of the upload and for `begin`. */
export type PrepareReply = PreparedBatch | undefined;
