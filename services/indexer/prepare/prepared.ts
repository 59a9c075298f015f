import type { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { ChosenAdapter } from '#kit/host/config/settings.ts';
import type { PersonalDataPolicy } from '#kit/personal-data/policy.ts';
import type { Chunk } from '../chunk/chunk.ts';
import type { ChunkOptions } from '../chunk/cut.ts';

// Messages from the thread that prepares documents to the job that indexes them. They are plain values, so that they can be
// copied between threads.

/** A document that is ready to be compared with the index and, if it differs, to be embedded. */
export interface PreparedDocument {
  documentId: string;
  /** File and line that it was read from. */
  origin: Pick<PreparedFailure, 'fileIndex' | 'path' | 'line'>;
  /** Path of its file, if its id is a place in that file (`path#3`, `archive.zip/path`); empty otherwise. */
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
  /** Vectors of its chunks, in their order, if they were made elsewhere; `Float32Array[dimensions]` of length 1. */
  vectors?: readonly Float32Array[];
  /** What overlays have changed, as it was read; absent if they have changed nothing. */
  source?: { title: string; text: string; chunks: readonly Chunk[] };
  /** SHA-256 of everything that the index stores of it and of the options it was made with, in hex. */
  contentHash: string;
}

/** A record or file that was not indexed. */
export interface PreparedFailure {
  fileIndex: number;
  path: string;
  line: number;
  reason: ErrorReason;
  message: string;
  /** Id of the document that it would have been; `undefined` if it is not known. */
  documentId: string | undefined;
}

/** What was left out of a file that was indexed, or guessed about it. */
export interface PreparedNote {
  fileIndex: number;
  path: string;
  line: number;
  kind: NoteKind;
  count: number;
  message: string;
  /** Id of a document that no one should find any more. */
  withdrawnId?: string;
}

/** A batch of prepared documents. */
export interface PreparedBatch {
  documents: PreparedDocument[];
  failures: PreparedFailure[];
  notes: PreparedNote[];
  /** Paths of the files that were read to their end. */
  wholePaths: string[];
  /** Bytes of the upload that were read so far. */
  readBytes: number;
  /** Index of the first file of the upload that was not read to its end. */
  nextFile: number;
}

/**
 * How an upload is read in which a thread was stuck, or ended: each file ends a batch, so that only the file that does it is lost. It begins
 * with a file, after those that were read before.
 */
export interface CarefulReading {
  firstFile: number;
  /** Ids of the documents before it. */
  seenIds: readonly string[];
  /** What the first file has done to the thread before; it is a failure then, and not read. */
  stuck?: string;
}

/** Options that determine how documents are prepared. */
export interface PrepareOptions extends ChunkOptions {
  /** Embedding model of the chunks. */
  embeddingModel: string;
  dimensions: number;
  /** Which model is asked to write what about chunks; `undefined`: none. */
  enrichment?: string | undefined;
  /** What is done with personal data; `undefined`: nothing. */
  personalData?: PersonalDataPolicy | undefined;
}

/** Bounds of a parser that runs in a child process. */
export interface ParseLimits {
  /** Most resident memory of the process, in bytes. */
  memoryBytes: number;
  /** Longest time without a sign of the parser: a result, or a read of bytes. */
  stallMs: number;
  /** Longest time of a whole file, without that in which its results were waited for. */
  totalMs: number;
  /** What reads images there; `undefined`: nothing. */
  ocr?: ChosenAdapter | undefined;
}
