import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import type { Block } from './blocks.ts';

/** A file of an upload, as a parser sees it. */
export interface SourceFile {
  /** Path or name; ids of its documents derive from it. */
  path: string;
  /** Media type as it was given, lower case, parameters included; empty where none was. */
  mediaType: string;
  sizeBytes: number;
}

/** A document as its file tells it, before chunking. */
export interface ParsedDocument {
  documentId: string;
  /** The id names the document by its place in the file (`path#3`), so a file without that place has no such document. */
  isPlaced: boolean;
  /** Line or row where it begins, from 1; 0 where it is the whole file. */
  line: number;
  title: string;
  url: string;
  /** As the file says it: "zh-CN"; empty where it says nothing. */
  language: string;
  /** Groups that may see it; `undefined` where it says nothing of its own. */
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
  /** What is wrong and what to do; never document text. */
  message: string;
  /** The document that it would have been; `undefined` where that is not known. */
  documentId: string | undefined;
}

/** What a parser gives. */
export type Parsed = { kind: 'document'; document: ParsedDocument } | { kind: 'failure'; failure: ParseFailure };

/**
 * Reads one format. A file that is a list of records is read in constant memory, and a bad record is a failure of its own;
 * a file that can't be read at all throws {@link UnreadableError}.
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

/** A failure as a parser gives it. */
export function failed(line: number, error: UnreadableError, documentId: string | undefined): Parsed {
  return { kind: 'failure', failure: { line, reason: error.reason, message: error.message, documentId } };
}

/** The parser of a file: by its media type where one was given that some parser knows, by the ending of its path otherwise. */
export function findParser(parsers: readonly Parser[], file: SourceFile): Parser | undefined {
  const mediaType = file.mediaType.split(';')[0]?.trim() ?? '';
  const byType = parsers.find((parser) => parser.mediaTypes.includes(mediaType));
  const path = file.path.toLowerCase();
  const byEnding = parsers.find((parser) => parser.endings.some((ending) => path.endsWith(ending)));
  // "text/plain" is what many clients send for anything they don't know: the ending knows better.
  if (mediaType === '' || mediaType === 'text/plain' || mediaType === 'application/octet-stream')
    return byEnding ?? byType;
  return byType;
}
