import type { ParsedDocument, ParseFailure, Parser, SourceFile } from '../parse/parser.ts';
import { UnreadableError } from '../parse/parser.ts';
import { type FileDefaults, prepareDocument } from './prepare-document.ts';
import type { PreparedBatch, PreparedFailure, PreparedNote, PrepareOptions } from './prepared.ts';
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
): AsyncIterable<PreparedBatch> {
  const seen = new Set<string>();
  let batch = emptyBatch(0);
  let readBytes = 0;
  const present = [...files.entries()].filter(([, { fromSource }]) => !fromSource?.isRemoved);
  for (const [fileIndex, file] of present) {
    let fileBytes = 0;
    const counted = async function* () {
      for await (const part of file.read()) {
        fileBytes += part.byteLength;
        yield part;
      }
    };
    for await (const found of readFile({ ...file, read: counted }, parsers)) {
      if (found.kind === 'document') {
        const uploaded = { ...file, fileIndex };
        const result = prepare(found.document, found.path, found.isInner, uploaded, options, seen);
        batch.documents.push(...result.documents);
        if (result.failure !== undefined) batch.failures.push({ fileIndex, path: found.path, ...result.failure });
      } else if (found.kind === 'failure') batch.failures.push({ fileIndex, path: found.path, ...found.failure });
      else if (found.kind === 'note') batch.notes.push({ fileIndex, path: found.path, ...found.note });
      else if (isWholeFile(found)) batch.wholePaths.push(file.path);
      batch.readBytes = readBytes + (found.kind === 'end' ? file.sizeBytes : fileBytes);
      if (endsBatch(batch, found)) {
        yield batch;
        batch = emptyBatch(batch.readBytes);
      }
    }
    readBytes += file.sizeBytes;
  }
  yield batch;
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

function emptyBatch(readBytes: number): PreparedBatch {
  return { documents: [], failures: [] as PreparedFailure[], notes: [] as PreparedNote[], wholePaths: [], readBytes };
}
