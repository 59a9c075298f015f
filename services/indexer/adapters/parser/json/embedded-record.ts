import type { Block } from '../../../parse/blocks.ts';
import { cleanLine, cleanText } from '../../../parse/clean.ts';
import { draftSkipped, notesOn, readMetadata } from '../../../parse/metadata/metadata.ts';
import { type EmbeddedChunk, failed, type Parsed, UnreadableError } from '../../../parse/parser.ts';

// The format of a bulk load: a record whose chunks and vectors were made elsewhere, so that they are only written.

type Values = Readonly<Record<string, unknown>>;

const headingsMax = 16;
const headingLengthMax = 1024;

/** Reports whether a record has chunks with vectors: `embedding_model` names their model, `chunks` is a list. */
export function isEmbedded({ embedding_model, chunks }: Values): boolean {
  return typeof embedding_model === 'string' && Array.isArray(chunks);
}

/** Returns the document of such a record. Its text is that of its chunks; the other fields are those of any record. */
export function parseEmbedded(values: Values, place: string, line: number): Parsed[] {
  const { embedding_model: model, chunks: given, text: _, ...others } = values;
  const metadata = readMetadata(others);
  const { id, title, url, language, groups, attributes, updatedAtMs } = metadata;
  const documentId = id || place;
  if (metadata.isDraft) return [draftSkipped(documentId, line)];
  try {
    const { text, blocks, chunks } = join((given as unknown[]).map(readChunk));
    const embedded = { model: String(model), chunks };
    const said = { title: title || documentId, url, language, groups, attributes, updatedAtMs };
    const document = { documentId, isPlaced: id === '', line, ...said, text, blocks, embedded };
    return [...notesOn(metadata, line), { kind: 'document', document }];
  } catch (error) {
    if (error instanceof UnreadableError) return [failed(line, error, documentId)];
    throw error;
  }
}

type ReadChunk = Pick<EmbeddedChunk, 'headingPath' | 'vector'> & { text: string };

function readChunk(given: unknown, index: number): ReadChunk {
  const wrong = (problem: string) => new UnreadableError(`chunks[${index}] ${problem}`);
  if (typeof given !== 'object' || given === null) throw wrong('is not an object with text and vector');
  const { text, vector, heading_path: headings = [] } = given as Values;
  const clean = typeof text === 'string' ? cleanText(text).trim() : '';
  if (clean === '') throw wrong('has no text');
  const isPath = Array.isArray(headings) && headings.length <= headingsMax;
  if (!isPath || !headings.every((heading) => typeof heading === 'string' && heading.length <= headingLengthMax)) {
    throw wrong(`has a heading_path that is not a list of at most ${headingsMax} short texts`);
  }
  const numbers = readNumbers(vector);
  if (numbers === undefined)
    throw wrong('has a vector that is not base64 of float32, little-endian, finite and not zero');
  return { text: clean, headingPath: headings.map(cleanLine), vector: numbers };
}

/** Returns a vector scaled to length 1; `undefined` if the value is none. */
function readNumbers(given: unknown): Float32Array<ArrayBuffer> | undefined {
  if (typeof given !== 'string') return undefined;
  const bytes = Buffer.from(given, 'base64');
  if (bytes.byteLength === 0 || bytes.byteLength % 4 !== 0) return undefined;
  // Bytes of a Buffer may start anywhere; float32 must start at a multiple of four.
  const numbers = new Float32Array(new Uint8Array(bytes).buffer);
  const length = Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(length) || length === 0) return undefined;
  return numbers.map((value) => value / length);
}

const between = '\n\n';

function join(read: readonly ReadChunk[]) {
  if (read.length === 0) throw new UnreadableError('has no chunks');
  const blocks: Block[] = [];
  const chunks: EmbeddedChunk[] = [];
  let start = 0;
  for (const { text, headingPath, vector } of read) {
    const end = start + text.length;
    blocks.push({ kind: 'paragraph', start, end });
    chunks.push({ start, end, headingPath, vector });
    start = end + between.length;
  }
  return { text: read.map(({ text }) => text).join(between), blocks, chunks };
}
