import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  findParser,
  type ParsedDocument,
  type ParseFailure,
  type Parser,
  type SourceFile,
  UnreadableError,
} from '../parse/parser.ts';
import { type FileDefaults, prepareDocument } from './prepare-document.ts';
import type { CarefulReading, PreparedBatch, PreparedFailure, PreparedNote, PrepareOptions } from './prepared.ts';
import { type Found, readFile, toUnreadable } from './read-file.ts';

/** A file of an upload, with its bytes. */
export interface UploadedFile extends SourceFile, Omit<FileDefaults, 'fileIndex'> {
  path: string;
  read(): AsyncIterable<Uint8Array>;
}

/** A batch is complete when it reaches one of these counts. */
const batchMax = { documents: 128, chunks: 320, textLength: 500_000, failures: 500 };

/**
 * Reads the files of an upload one after another and yields batches of documents. What cannot be parsed becomes a failure in the
 * batch, and reading continues. Throws only if the bytes themselves cannot be read.
 */
export async function* prepareUpload(
  files: readonly UploadedFile[],
  parsers: readonly Parser[],
  options: PrepareOptions,
  careful?: CarefulReading,
): AsyncIterable<PreparedBatch> {
  const seen = new Set(careful?.seenIds);
  const firstFile = careful?.firstFile ?? 0;
  let readBytes = files.slice(0, firstFile).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let batch = emptyBatch(readBytes, firstFile);
  const present = [...files.entries()].filter(
    ([index, { fromSource }]) => index >= firstFile && !fromSource?.isRemoved,
  );
  for (const [fileIndex, file] of present) {
    let fileBytes = 0;
    const counted = async function* () {
      for await (const part of file.read()) {
        fileBytes += part.byteLength;
        yield part;
      }
    };
    const stuck = fileIndex === firstFile ? careful?.stuck : undefined;
    const all = stuck === undefined ? readFile({ ...file, read: counted }, parsers) : notRead(file, stuck, parsers);
    for await (const found of all) {
      add(found, batch, { ...file, fileIndex }, options, seen);
      const isEnd = found.kind === 'end';
      batch.readBytes = readBytes + (isEnd ? file.sizeBytes : fileBytes);
      if (isEnd) batch.nextFile = fileIndex + 1;
      if (endsBatch(batch, found) || (isEnd && careful !== undefined)) {
        yield batch;
        batch = emptyBatch(batch.readBytes, batch.nextFile);
      }
    }
    readBytes += file.sizeBytes;
  }
  yield batch;
}

/** Adds what was found in a file to a batch. */
function add(
  found: Found,
  { documents, failures, notes, wholePaths }: PreparedBatch,
  file: FileDefaults & SourceFile,
  options: PrepareOptions,
  seen: Set<string>,
): void {
  const { fileIndex } = file;
  if (found.kind === 'document') {
    const result = prepare(found.document, found.path, found.isInner, file, options, seen);
    documents.push(...result.documents);
    if (result.failure !== undefined) failures.push({ fileIndex, path: found.path, ...result.failure });
  } else if (found.kind === 'failure') failures.push({ fileIndex, path: found.path, ...found.failure });
  else if (found.kind === 'note') notes.push({ fileIndex, path: found.path, ...found.note });
  else if (isWholeFile(found)) wholePaths.push(file.path);
}

/** Returns a document in parts for the index, or why it cannot be indexed. */
function prepare(
  parsed: ParsedDocument,
  path: string,
  isInner: boolean,
  file: FileDefaults,
  options: PrepareOptions,
  seen: Set<string>,
): { documents: ReturnType<typeof prepareDocument>; failure?: ParseFailure } {
  // The index replaces lone surrogates in an id, so ids are compared after the same replacement.
  const documentId = parsed.documentId.toWellFormed();
  const { line } = parsed;
  try {
    if (seen.has(documentId)) {
      throw new UnreadableError(
        `its id "${documentId}" is in this upload twice and the first one was indexed: use another id`,
      );
    }
    const isPlaced = parsed.isPlaced || isInner;
    const documents = prepareDocument({ ...parsed, documentId, isPlaced }, { ...file, originPath: path }, options);
    for (const document of documents) seen.add(document.documentId);
    return { documents };
  } catch (error) {
    const { reason, message } = toUnreadable(error);
    return { documents: [], failure: { line, reason, message, documentId } };
  }
}

/** Yields what is known of a file in which a thread is stuck. */
async function* notRead(file: SourceFile, stuck: string, parsers: readonly Parser[]): AsyncIterable<Found> {
  const { path } = file;
  const documentId = findParser(parsers, file)?.isList === false ? path : undefined;
  yield { kind: 'failure', path, failure: { line: 0, reason: ErrorReason.TOO_LARGE, message: stuck, documentId } };
  yield { kind: 'end', isWhole: false };
}

function isWholeFile(found: Found): boolean {
  return found.kind === 'end' && found.isWhole;
}

function endsBatch({ documents, failures, notes }: PreparedBatch, { kind }: Found): boolean {
  // The job learns that a slow file is being read.
  if (kind === 'progress') return true;
  if (documents.length >= batchMax.documents || failures.length + notes.length >= batchMax.failures) return true;
  let chunks = 0;
  let textLength = 0;
  for (const document of documents) {
    chunks += document.chunks.length;
    textLength += document.text.length;
  }
  return chunks >= batchMax.chunks || textLength >= batchMax.textLength;
}

function emptyBatch(readBytes: number, nextFile: number): PreparedBatch {
  const [failures, notes]: [PreparedFailure[], PreparedNote[]] = [[], []];
  return { documents: [], failures, notes, wholePaths: [], readBytes, nextFile };
}
