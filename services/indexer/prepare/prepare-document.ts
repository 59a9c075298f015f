import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { labelsOf } from '#kit/personal-data/seal.ts';
import { detectLanguage, type Language } from '#kit/text/language.ts';
import { type Chunk, chunkText } from '../chunk/chunk.ts';
import { cleanLine, clip } from '../parse/clean.ts';
import { type ParsedDocument, UnreadableError } from '../parse/parser.ts';
import type { FromSource } from '../uploads/uploads.ts';
import { hashDocument } from './content-hash.ts';
import { maskDocument, maskText } from './mask-document.ts';
import type { PreparedDocument, PrepareOptions } from './prepared.ts';

const documentIdLengthMax = 512;
const titleLengthMax = 1024;
const urlLengthMax = 2048;
const attributesMax = 64;
/** Largest size of a document in one message to the index, in bytes; a message may have 4 MiB. */
const documentBytesMax = 2_500_000;

/** What the upload says about a file: defaults for documents that do not say it themselves. */
export interface FileDefaults {
  path: string;
  /** Path of the file that holds the document: `path`, or that of a file inside of it. Default: `path`. */
  originPath?: string;
  /** Position in the upload, from 0. */
  fileIndex: number;
  /** Groups that may see its documents; empty: everyone in the tenant. */
  groups: readonly string[];
  attributes: Readonly<Record<string, string>>;
  /** Set if a source gave the file. All its documents are then places in it, so that they disappear with it. */
  fromSource?: FromSource;
}

/**
 * Returns a parsed document ready for the index: one part, or several if it is too large for one message. The first part keeps
 * the document's id. Throws UnreadableError if there is nothing to index.
 */
export function prepareDocument(
  given: ParsedDocument,
  file: FileDefaults,
  options: PrepareOptions,
): PreparedDocument[] {
  const parsed = maskDocument({ ...given, groups: given.groups ?? file.groups }, options.personalData);
  if (parsed.documentId.length > documentIdLengthMax) {
    throw new UnreadableError(`its id has more than ${documentIdLengthMax} characters: give it a shorter one`);
  }
  const title = clip(cleanLine(parsed.title), titleLengthMax);
  const made = embeddedOf(given, parsed, options);
  const chunks = made?.chunks ?? chunkText(parsed.text, parsed.blocks, title, options);
  if (chunks.length === 0) throw new UnreadableError('has no text', ErrorReason.DOCUMENT_CORRUPT);
  const parts = partsOf(parsed.text, chunks, options.dimensions);
  const attributes = { ...file.attributes, ...parsed.attributes };
  const url = file.fromSource?.url || parsed.url;
  const isPlaced = parsed.isPlaced || (file.fromSource !== undefined && parsed.documentId !== file.path);
  let chunkCount = 0;
  return parts.map((part, index) => {
    const vectors = made?.vectors.slice(chunkCount, chunkCount + part.chunks.length);
    chunkCount += part.chunks.length;
    const isFirst = index === 0;
    const text = parts.length === 1 ? parsed.text : parsed.text.slice(part.start, part.end);
    const document = {
      documentId: isFirst ? parsed.documentId : partId(parsed.documentId, index + 1),
      origin: { fileIndex: file.fileIndex, path: file.originPath ?? file.path, line: parsed.line },
      placedIn: isPlaced || !isFirst ? file.path : '',
      title: isFirst ? title : `${clip(title, titleLengthMax - 12)} (${index + 1})`,
      url: webUrl(url),
      language: languageOf(parsed.language) ?? detectLanguage(labelsOf(text)),
      groups: file.fromSource?.hasFixedGroups ? file.groups : (parsed.groups ?? file.groups),
      attributes: Object.fromEntries(Object.entries(attributes).slice(0, attributesMax)),
      updatedAtMs: parsed.updatedAtMs,
      text,
      chunks: part.chunks,
      ...(vectors && { vectors }),
    };
    return { ...document, contentHash: hashDocument(document, options) };
  });
}

/** Returns the chunks and vectors that a document brings; `undefined` if it brings none. Throws UnreadableError if they do not fit the corpus. */
function embeddedOf(given: ParsedDocument, masked: ParsedDocument, options: PrepareOptions) {
  const { embedded } = given;
  if (embedded === undefined) return undefined;
  const { embeddingModel, dimensions, personalData } = options;
  const headings = embedded.chunks.flatMap(({ headingPath }) => headingPath).join('\n');
  const isMasked = maskText(headings, masked, personalData) !== headings;
  if (isMasked || masked.text !== given.text || masked.title !== given.title) {
    throw new UnreadableError(
      'holds personal data that its vectors were made of: mask it before, or load it without vectors',
    );
  }
  if (embedded.model !== embeddingModel) {
    const problem = `has vectors of "${embedded.model}", and the embedding model is "${embeddingModel}"`;
    throw new UnreadableError(`${problem}: embed it again, or configure that model`);
  }
  const wrong = embedded.chunks.find(({ vector }) => vector.length !== dimensions);
  if (wrong !== undefined) {
    throw new UnreadableError(`has vectors of ${wrong.vector.length} dimensions, and the model has ${dimensions}`);
  }
  return {
    chunks: embedded.chunks.map(
      ({ start, end, headingPath }): Chunk => ({
        ...{ start, end, headingPath },
        language: detectLanguage(given.text.slice(start, end)),
      }),
    ),
    vectors: embedded.chunks.map(({ vector }) => vector),
  };
}

/** Returns the address if pages can link to it: http or https, whole, not too long; otherwise empty. Others could run as a script. */
function webUrl(given: string): string {
  return given.length <= urlLengthMax && /^https?:\/\//i.test(given) && URL.canParse(given) ? given : '';
}

function partId(documentId: string, number: number): string {
  const id = `${documentId}#part-${number}`;
  if (id.length > documentIdLengthMax) throw new UnreadableError('its id is too long for a document of several parts');
  return id;
}

/** Groups chunks into parts that fit into a message with their vectors. Offsets count from the start of the part. */
function partsOf(text: string, chunks: readonly Chunk[], dimensions: number) {
  const parts: { start: number; end: number; chunks: Chunk[] }[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    const chunkBytes = (chunk.end - chunk.start) * 3 + dimensions * 4 + 1024;
    const open = parts.at(-1);
    if (open === undefined || bytes + chunkBytes > documentBytesMax) {
      // A part begins after the one before it, so its first chunk has no overlap.
      const start = open === undefined ? 0 : Math.max(chunk.start, open.end);
      parts.push({ start, end: chunk.end, chunks: [{ ...chunk, start: Math.max(chunk.start, start) }] });
      bytes = chunkBytes;
    } else {
      open.chunks.push(chunk);
      open.end = chunk.end;
      bytes += chunkBytes;
    }
  }
  const last = parts.at(-1);
  if (last !== undefined) last.end = text.length;
  return parts.map(({ start, end, chunks }) => ({
    start,
    end,
    chunks: chunks.map((chunk) => ({ ...chunk, start: chunk.start - start, end: chunk.end - start })),
  }));
}

function languageOf(said: string): Language | undefined {
  const tag = said.toLowerCase();
  if (/^(?:zh|cmn|chinese|中文)/.test(tag)) return 'zh';
  return /^en/.test(tag) ? 'en' : undefined;
}
