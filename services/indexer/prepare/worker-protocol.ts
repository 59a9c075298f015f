import type { MessagePort } from 'node:worker_threads';
import type { StagedFile } from '../uploads/uploads.ts';
import type { CarefulReading, ParseLimits, PreparedBatch, PrepareOptions } from './prepared.ts';

/** An upload to prepare, for the thread. */
export interface PrepareTask {
  files: readonly StagedFile[];
  /** From which the thread reads the bytes; see `bytes-port.ts`. */
  bytes: MessagePort;
  options: PrepareOptions;
  /** @default the files are read in large batches */
  careful?: CarefulReading | undefined;
}

/** What a thread is started with. */
export interface PrepareThreadData {
  limits: ParseLimits;
  /** Address of the folder of the parsers. */
  folder: string;
}

/** To the thread: an upload, once the one before has ended; a call for its next batch; or the last one, to end its child process. */
export type PrepareRequest = { kind: 'begin'; task: PrepareTask } | { kind: 'next' } | { kind: 'end' };

/** From the thread: a batch, or `undefined` at the end of the upload and for the other calls. */
export type PrepareReply = PreparedBatch | undefined;
