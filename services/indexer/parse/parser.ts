import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Block } from './blocks.ts';

/** A file of an upload, as a parser sees it. */
export interface SourceFile {
  /** Path or name; ids of its documents derive from it. */
  path: string;
  /** Media type from the upload, in lower case, with parameters; empty if the upload has none. */
  mediaType: string;
  sizeBytes: number;
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

/** A document or a failure, as a parser yields it. */
export type Parsed = { kind: 'document'; document: ParsedDocument } | { kind: 'failure'; failure: ParseFailure };

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
  parse(file: SourceFile, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Parsed>;
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

/** Returns the parser of a file: by its media type if a parser reads that type, otherwise by the extension of its path. */
export function findParser(parsers: readonly Parser[], file: SourceFile): Parser | undefined {
  const mediaType = file.mediaType.split(';')[0]?.trim() ?? '';
  const byType = parsers.find((parser) => parser.mediaTypes.includes(mediaType));
  const path = file.path.toLowerCase();
  const byEnding = parsers.find((parser) => parser.endings.some((ending) => path.endsWith(ending)));
  // Many clients send "text/plain" for every unknown file, so the extension is more reliable.
  if (mediaType === '' || mediaType === 'text/plain' || mediaType === 'application/octet-stream')
    return byEnding ?? byType;
  return byType;
}
