import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Block } from './blocks.ts';
import type { Ocr } from './ocr.ts';
import type { PageWish, RenderedPage } from './page-image.ts';

/** A file of an upload, as a parser sees it. */
export interface SourceFile {
  /** Path or name; ids of its documents derive from it. */
  path: string;
  /** Media type from the upload, in lower case, with parameters; empty if the upload has none. */
  mediaType: string;
  sizeBytes: number;
  /** Of a table: what its columns mean, by name or by number from 1; see `FileHeader.columns` of the contract. */
  columns?: Readonly<Record<string, string>> | undefined;
  /** Password of the file, if the upload gives one. Without the right one, an encrypted file fails with DOCUMENT_ENCRYPTED. */
  password?: string | undefined;
}

/** What a parser gets of the configuration. */
export interface ParserDeps {
  /** Loads what reads images; absent if none is configured, and for parsers without `isolation`. */
  ocr?: () => Promise<Ocr>;
}

/** A document as read from its file, before chunking. */
export interface ParsedDocument {
  documentId: string;
  /** Whether the id is a place in the file (`path#3`). Such a document is gone when the file no longer has that place. */
  isPlaced: boolean;
  /** First line or row, from 1; 0 if the document is the whole file. */
  line: number;
  title: string;
  url: string;
  /** Language as declared by the file, such as "zh-CN"; empty if the file declares none. */
  language: string;
  /** Groups that may see it; `undefined` if the document does not say. */
  groups: readonly string[] | undefined;
  attributes: Readonly<Record<string, string>>;
  updatedAtMs: number | undefined;
  /** Its text: clean, well-formed UTF-16. */
  text: string;
  /** What `text` is made of: in order, without overlap. */
  blocks: readonly Block[];
  /** Its chunks, if they and their vectors were made elsewhere. */
  embedded?: EmbeddedChunks;
}

/** Chunks with vectors of a model, which has the name that the embedding service calls its space. */
export interface EmbeddedChunks {
  model: string;
  chunks: readonly EmbeddedChunk[];
}

/** A slice of the text, with its headings and its vector, `Float32Array[dimensions]` of length 1. */
export interface EmbeddedChunk {
  start: number;
  end: number;
  headingPath: string[];
  vector: Float32Array;
}

/** A record or file that could not be read. */
export interface ParseFailure {
  /** Line or row, from 1; 0 for the file as a whole. */
  line: number;
  reason: ErrorReason;
  /** What is wrong and what to do next; never text of the document. */
  message: string;
  /** Id of the document that it would have been; `undefined` if it is not known. */
  documentId: string | undefined;
}

/** What was left out of a file, or guessed about it. */
export interface ParseNote {
  kind: NoteKind;
  /** Line or row, from 1; 0 for the file as a whole. */
  line: number;
  /** How many parts of the file it is about. */
  count: number;
  /** What was done, and what to do if that was wrong; never text of the document. */
  message: string;
  /** Id of a document that no one should find any more. */
  withdrawnId?: string;
}

/** A file inside a file: an entry of an archive, an attachment of a message. Its own parser reads it. */
export interface InnerFile {
  /** Path inside the outer file, with "/" between folders. */
  path: string;
  /** Media type as the outer file names it; empty if it does not. */
  mediaType: string;
  bytes: Uint8Array;
}

/** What a parser yields. `progress`: it works; for parsers that take seconds for a part of a document. */
export type Parsed =
  | { kind: 'document'; document: ParsedDocument }
  | { kind: 'failure'; failure: ParseFailure }
  | { kind: 'note'; note: ParseNote }
  | { kind: 'file'; file: InnerFile }
  | { kind: 'progress' };

/**
 * Reads one format. A file that is a list of records is read in constant memory, and a bad record yields a failure of its own.
 * A file that cannot be read at all throws {@link UnreadableError}.
 */
export interface Parser {
  /** Media types that it reads, without parameters. */
  readonly mediaTypes: readonly string[];
  /** Endings of names that it reads, with the dot, lower case. */
  readonly endings: readonly string[];
  /** Whether a file is a list of documents; otherwise it is one document, whose id is the path. */
  readonly isList: boolean;
  /**
   * Set it if a hostile file can make the parser take unbounded time or memory, or crash a library. The parser then runs in a child process,
   * one file at a time, with limits of memory and time (`ParseLimits` in `prepare/prepared.ts`). A file that breaks them ends the process and
   * is a failure of its own. The thread loads the adapter too, to know what it reads: import large libraries inside `parse`. Yield `progress`
   * at least every few seconds.
   * @default it runs in the thread that prepares uploads
   */
  readonly isolation?: 'process';
  parse(file: SourceFile, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Parsed>;
  /** Returns a page of a file as an image, for formats with `isolation`. Throws UnreadableError. @default it has no pages to show */
  renderPage?(bytes: AsyncIterable<Uint8Array>, wish: PageWish): Promise<RenderedPage>;
}

/** A file or record can't be read; the message says what to do. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
  readonly reason: ErrorReason;
  readonly line: number;
  constructor(message: string, reason: ErrorReason = ErrorReason.DOCUMENT_CORRUPT, line = 0) {
    super(message);
    this.reason = reason;
    this.line = line;
  }
}

/** Returns the failure that a parser yields for an error. */
export function failed(line: number, error: UnreadableError, documentId: string | undefined): Parsed {
  return { kind: 'failure', failure: { line, reason: error.reason, message: error.message, documentId } };
}

/** Returns the note that a parser yields. */
export function noted(kind: NoteKind, count: number, message: string, line = 0): Parsed {
  return { kind: 'note', note: { kind, line, count, message } };
}

/** Media types that clients send for files of many formats: the extension is more reliable. */
const vagueTypes = new Set([
  '',
  'text/plain',
  'text/xml',
  'application/json',
  'application/octet-stream',
  // Windows sends it for CSV.
  'application/vnd.ms-excel',
  'application/xml',
  'application/x-zip-compressed',
  'application/zip',
]);

/** Returns the parser of a file: by its media type if a parser reads that type, otherwise by the extension of its path. */
export function findParser(
  parsers: readonly Parser[],
  file: Pick<SourceFile, 'path' | 'mediaType'>,
): Parser | undefined {
  const mediaType = file.mediaType.split(';')[0]?.trim() ?? '';
  const byType = parsers.find((parser) => parser.mediaTypes.includes(mediaType));
  const path = file.path.toLowerCase();
  const byEnding = parsers.find((parser) => parser.endings.some((ending) => path.endsWith(ending)));
  return vagueTypes.has(mediaType) ? (byEnding ?? byType) : byType;
}
