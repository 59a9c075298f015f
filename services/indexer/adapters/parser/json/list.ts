import { charsetParameterOf, decodeRaw, readWhole } from '../../../parse/decode.ts';
import { failed, type Parsed, type SourceFile, UnreadableError } from '../../../parse/parser.ts';
import { parseRecord } from '../../../parse/record.ts';

/** Largest file, in bytes: its records are in memory together. */
const fileBytesMax = 64 << 20;

/** Yields the records of a file that is one JSON value. */
export async function* parseList(file: SourceFile, bytes: AsyncIterable<Uint8Array>): AsyncIterable<Parsed> {
  const { text, notes } = decodeRaw(await readWhole(bytes, fileBytesMax), charsetParameterOf(file.mediaType));
  yield* notes;
  const records = recordsOf(toValue(text));
  for (const [index, record] of records.entries()) yield* parseOne(record, `${file.path}#${index + 1}`, index + 1);
}

function toValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UnreadableError('is not JSON: correct it, or write one record on each line and name it .jsonl');
  }
}

/** Returns the records of a list, of the one list in an object (`{"data": [...]}`), or of an object that is a record itself. */
function recordsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (typeof value !== 'object' || value === null)
    throw new UnreadableError(`is not a list of JSON objects: ${example}`);
  const lists = Object.values(value).filter((inner) => Array.isArray(inner) && inner.some(isObject)) as unknown[][];
  const [only] = lists;
  return only !== undefined && lists.length === 1 ? only : [value];
}

function parseOne(record: unknown, place: string, number: number): Parsed[] {
  try {
    if (!isObject(record)) throw new UnreadableError(`is not a JSON object: ${example}`);
    return parseRecord(record, place, number);
  } catch (error) {
    if (error instanceof UnreadableError) return [failed(number, error, undefined)];
    throw error;
  }
}

const example = 'each record must be one, such as {"id": …, "title": …, "text": …}';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
