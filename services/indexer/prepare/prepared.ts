import type { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Chunk, ChunkOptions } from '../chunk/chunk.ts';

// What passes between the thread that prepares documents and the job that indexes them: plain values, so that they can be
// copied from one to the other.

/** A document, ready to be compared with what the index holds, and to be embedded where it differs. */
export interface PreparedDocument {
  documentId: string;
  /** The place that it was read from. */
  origin: Pick<PreparedFailure, 'fileIndex' | 'path' | 'line'>;
  /** Path of its file, where its id names a place in that file; empty otherwise. */
  placedIn: string;
  title: string;
  url: string;
  language: 'zh' | 'en' | 'und';
  /** Groups that may see it; empty: everyone in the tenant. */
  groups: readonly string[];
  attributes: Readonly<Record<string, string>>;
  updatedAtMs: number | undefined;
  text: string;
  chunks: readonly Chunk[];
  /** SHA-256 of all that the index holds of it, and of how it was made, in hex. */
  contentHash: string;
}

/** A record or file that was not taken. */
export interface PreparedFailure {
  fileIndex: number;
  path: string;
  line: number;
  reason: ErrorReason;
  message: string;
  /** The document that it would have been; `undefined` where that is not known. */
  documentId: string | undefined;
}

/** Part of the work, as it comes from the thread. */
export interface PreparedBatch {
  documents: PreparedDocument[];
  failures: PreparedFailure[];
  /** Files that were read to their end, without having to give up on one. */
  wholePaths: string[];
  /** Bytes of files read so far, in all. */
  readBytes: number;
}

/** How documents are prepared. */
export interface PrepareOptions extends ChunkOptions {
  /** Embedding model, with which the chunks will be embedded. */
  embeddingModel: string;
  dimensions: number;
}
