import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import {
  findParser,
  type Parsed,
  type ParseFailure,
  type Parser,
  type SourceFile,
  UnreadableError,
} from '../parse/parser.ts';
import { UploadBytesError } from '../uploads/file-reader.ts';
import { type FileDefaults, prepareDocument } from './prepare-document.ts';
import type { PreparedBatch, PreparedFailure, PrepareOptions } from './prepared.ts';

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
): AsyncIterable<PreparedBatch> {
  const seen = new Set<string>();
  let batch = emptyBatch(0);
  let readBytes = 0;
  for (const [fileIndex, file] of files.entries()) {
    let fileBytes = 0;
    const counted = async function* () {
      for await (const part of file.read()) {
        fileBytes += part.byteLength;
        yield part;
      }
    };
    const fail = (failure: ParseFailure) => batch.failures.push({ fileIndex, path: file.path, ...failure });
    const parser = findParser(parsers, file);
    try {
      if (parser === undefined) throw unsupported(file, parsers);
      for await (const parsed of parser.parse(file, counted())) {
        take(parsed, { ...file, fileIndex }, options, seen, batch, fail);
        batch.readBytes = readBytes + fileBytes;
        if (isFull(batch)) {
          yield batch;
          batch = emptyBatch(batch.readBytes);
        }
      }
      batch.wholePaths.push(file.path);
    } catch (error) {
      const { reason, message, line } = toUnreadable(error);
      fail({ line, reason, message, documentId: parser?.isList ? undefined : file.path });
    }
    readBytes += file.sizeBytes;
    batch.readBytes = readBytes;
    if (isFull(batch)) {
      yield batch;
      batch = emptyBatch(readBytes);
    }
  }
  yield batch;
}

function take(
  parsed: Parsed,
  file: FileDefaults,
  options: PrepareOptions,
  seen: Set<string>,
  batch: PreparedBatch,
  fail: (failure: ParseFailure) => void,
): void {
  if (parsed.kind === 'failure') {
    fail(parsed.failure);
    return;
  }
  // The index replaces lone surrogates in an id, so ids are compared after the same replacement.
  const documentId = parsed.document.documentId.toWellFormed();
  const { line } = parsed.document;
  try {
    if (seen.has(documentId)) {
      throw new UnreadableError(
        `its id "${documentId}" is in this upload twice and the first one was indexed: use another id`,
      );
    }
    const documents = prepareDocument({ ...parsed.document, documentId }, file, options);
    for (const document of documents) seen.add(document.documentId);
    batch.documents.push(...documents);
  } catch (error) {
    const { reason, message } = toUnreadable(error);
    fail({ line, reason, message, documentId });
  }
}

function unsupported(file: SourceFile, parsers: readonly Parser[]): UnreadableError {
  const endings = parsers.flatMap((parser) => parser.endings).join(', ');
  const what = file.mediaType || 'its name';
  return new UnreadableError(
    `no parser for ${what}: convert it to one of ${endings}`,
    ErrorReason.MEDIA_TYPE_UNSUPPORTED,
  );
}

/** Converts a thrown value: an unexpected error of a parser fails its file only, not the upload. */
function toUnreadable(error: unknown): UnreadableError {
  if (error instanceof UnreadableError) return error;
  // What the store lost or damaged is not a fault of the document.
  if (error instanceof UploadBytesError) throw error;
  return new UnreadableError(`cannot be read (${(error as Error).name}): correct it, or convert it to plain text`);
}

function isFull({ documents, failures }: PreparedBatch): boolean {
  if (documents.length >= batchMax.documents || failures.length >= batchMax.failures) return true;
  let chunks = 0;
  let textLength = 0;
  for (const document of documents) {
    chunks += document.chunks.length;
    textLength += document.text.length;
  }
  return chunks >= batchMax.chunks || textLength >= batchMax.textLength;
}

function emptyBatch(readBytes: number): PreparedBatch {
  return { documents: [], failures: [] as PreparedFailure[], wholePaths: [], readBytes };
}
