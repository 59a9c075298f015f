import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import {
  findParser,
  type InnerFile,
  type ParsedDocument,
  type ParseFailure,
  type ParseNote,
  type Parser,
  type SourceFile,
  UnreadableError,
} from '../parse/parser.ts';
import { UploadBytesError } from '../uploads/file-reader.ts';
import { trueEnding } from './true-format.ts';

// Reads a file and the files inside of it, each with its own parser.

/** A file with its bytes. */
export interface ReadableFile extends SourceFile {
  read(): AsyncIterable<Uint8Array>;
}

/** What a file or a file inside of it holds; `path` is that file's. */
export type Found =
  | { kind: 'document'; path: string; isInner: boolean; document: ParsedDocument }
  | { kind: 'failure'; path: string; failure: ParseFailure }
  | { kind: 'note'; path: string; note: ParseNote }
  /** A sign that a slow parser works. */
  | { kind: 'progress' }
  /** The end of the uploaded file; `isWhole`: whether everything in it is known, so that other places in it are gone. */
  | { kind: 'end'; isWhole: boolean };

/** Limits of the files inside of an uploaded file. */
const innerMax = { depth: 4, files: 10_000, bytes: 512 << 20, pathLength: 512 };

/** Yields what a file holds. Throws only if the bytes themselves cannot be read. */
export async function* readFile(file: ReadableFile, parsers: readonly Parser[]): AsyncIterable<Found> {
  const state: State = { parsers, fileCount: 0, bytes: 0, isWhole: true, isExceeded: false };
  yield* read(file, 0, state);
  yield { kind: 'end', isWhole: state.isWhole };
}

interface State {
  readonly parsers: readonly Parser[];
  fileCount: number;
  bytes: number;
  isWhole: boolean;
  isExceeded: boolean;
}

async function* read(file: ReadableFile, depth: number, state: State): AsyncIterable<Found> {
  const { path } = file;
  const named = findParser(state.parsers, file);
  let parser = named;
  if (named === undefined && depth > 0) {
    yield { kind: 'note', path, note: skipped };
    return;
  }
  try {
    if (named === undefined) throw unsupported(file, state.parsers);
    // Only values: a parser may be in another process.
    const { read: _, ...source } = file;
    const opened = await open(file, named, state.parsers);
    parser = opened.parser;
    for await (const parsed of parser.parse(source, opened.bytes)) {
      if (parsed.kind === 'file') yield* readInner(path, parsed.file, depth + 1, state);
      else if (parsed.kind === 'document') yield { ...parsed, path, isInner: depth > 0 };
      else if (parsed.kind === 'progress') yield parsed;
      else {
        // What could not be read is not gone, also if its id is not known.
        if (parsed.kind === 'failure' && parsed.failure.documentId === undefined) state.isWhole = false;
        yield { ...parsed, path };
      }
    }
  } catch (error) {
    const { reason, message, line } = toUnreadable(error);
    if (depth > 0 && reason === ErrorReason.DOCUMENT_NEEDS_OCR && isOfImages(parser)) {
      // Logos and screenshots of messages and archives; without OCR they are illustrations.
      yield {
        kind: 'note',
        path,
        note: { ...skipped, message: 'is an image and was left out: configure indexer.ocr to read it' },
      };
      return;
    }
    const documentId = parser?.isList ? undefined : path;
    if (depth === 0 || documentId === undefined) state.isWhole = false;
    yield { kind: 'failure', path, failure: { line, reason, message, documentId } };
  }
}

function isOfImages(parser: Parser | undefined): boolean {
  return parser?.mediaTypes.some((type) => type.startsWith('image/')) === true;
}

async function* readInner(outer: string, inner: InnerFile, depth: number, state: State): AsyncIterable<Found> {
  if (state.isExceeded) return;
  const path = `${outer}/${inner.path}`;
  state.fileCount += 1;
  state.bytes += inner.bytes.byteLength;
  const limit = limitOf(path, depth, state);
  if (limit === undefined) {
    const { mediaType, bytes } = inner;
    yield* read({ path, mediaType, sizeBytes: bytes.byteLength, read: () => only(bytes) }, depth, state);
    return;
  }
  state.isWhole = false;
  const message = `${limit.message}: upload the files of the archive themselves`;
  yield { kind: 'failure', path, failure: { line: 0, reason: ErrorReason.TOO_LARGE, message, documentId: undefined } };
}

/** Returns the bytes of a file, and the parser that can read them; `named` is the one of its name. */
async function open(
  file: ReadableFile,
  named: Parser,
  parsers: readonly Parser[],
): Promise<{ parser: Parser; bytes: AsyncIterable<Uint8Array> }> {
  const iterator = file.read()[Symbol.asyncIterator]();
  const first = await iterator.next();
  const bytes = async function* () {
    try {
      if (first.done === true) return;
      yield first.value;
      yield* { [Symbol.asyncIterator]: () => iterator };
    } finally {
      await iterator.return?.();
    }
  };
  const ending = first.done === true ? undefined : trueEnding(file.path, first.value);
  const found = ending === undefined ? undefined : findParser(parsers, { path: ending, mediaType: '' });
  return { parser: found ?? named, bytes: bytes() };
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function limitOf(path: string, depth: number, state: State): { message: string } | undefined {
  if (path.length > innerMax.pathLength) return { message: `its path has more than ${innerMax.pathLength} characters` };
  if (depth > innerMax.depth) return { message: `is more than ${innerMax.depth} archives deep` };
  state.isExceeded = state.fileCount > innerMax.files || state.bytes > innerMax.bytes;
  if (!state.isExceeded) return undefined;
  return { message: `the archive holds more than ${innerMax.files} files or ${innerMax.bytes >> 20} MiB` };
}

const skipped: ParseNote = {
  kind: NoteKind.FILE_SKIPPED,
  line: 0,
  count: 1,
  message: 'no parser reads this kind of file: it was left out',
};

function unsupported(file: SourceFile, parsers: readonly Parser[]): UnreadableError {
  const endings = parsers.flatMap((parser) => parser.endings).join(', ');
  const what = file.mediaType || 'its name';
  return new UnreadableError(
    `no parser for ${what}: convert it to one of ${endings}`,
    ErrorReason.MEDIA_TYPE_UNSUPPORTED,
  );
}

/** Converts a thrown value: an unexpected error of a parser fails its file only, not the upload. */
export function toUnreadable(error: unknown): UnreadableError {
  if (error instanceof UnreadableError) return error;
  // What the store lost or damaged is not a fault of the document.
  if (error instanceof UploadBytesError) throw error;
  return new UnreadableError(`cannot be read (${(error as Error).name}): correct it, or convert it to plain text`);
}
