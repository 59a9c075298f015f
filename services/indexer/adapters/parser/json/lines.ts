import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { decodeRecord, openText } from '../../../parse/decode.ts';
import { readLines } from '../../../parse/lines.ts';
import { failed, type Parsed, type SourceFile, UnreadableError } from '../../../parse/parser.ts';
import { parseRecord } from '../../../parse/record.ts';
import { isEmbedded, parseEmbedded } from './embedded-record.ts';

/** Longest line, in bytes. */
const lineBytesMax = 8 << 20;

/** Yields the records of a file with one JSON object on each line, in constant memory. */
export async function* parseLines(file: SourceFile, parts: AsyncIterable<Uint8Array>): AsyncIterable<Parsed> {
  const opened = await openText(file, parts);
  yield* opened.notes;
  for await (const { number, bytes } of readLines(opened.parts, lineBytesMax)) {
    if (bytes !== undefined && isBlank(bytes)) continue;
    yield* parseLine(bytes, opened.charset, `${file.path}#${number}`, number);
  }
}

function parseLine(bytes: Uint8Array | undefined, charset: string, place: string, number: number): Parsed[] {
  try {
    if (bytes === undefined) {
      throw new UnreadableError(`a line may have ${lineBytesMax} bytes: split the record`, ErrorReason.TOO_LARGE);
    }
    const record = parseObject(decodeRecord(bytes, charset));
    return isEmbedded(record) ? parseEmbedded(record, place, number) : parseRecord(record, place, number);
  } catch (error) {
    // It is not known whether the record has an id of its own.
    if (error instanceof UnreadableError) return [failed(number, error, undefined)];
    throw error;
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UnreadableError('is not JSON: each line must be one JSON object');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UnreadableError('is not a JSON object: each line must be one, such as {"id": …, "title": …, "text": …}');
  }
  return value as Record<string, unknown>;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 32 || byte === 13 || byte === 9);
}
