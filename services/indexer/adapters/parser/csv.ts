import { Readable } from 'node:stream';
import { CsvError, parse as createCsvParser, type Info } from 'csv-parse';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { decode } from '../../parse/decode.ts';
import { textNames, titleNames } from '../../parse/metadata.ts';
import { failed, type Parser, UnreadableError } from '../../parse/parser.ts';
import { parseRecord } from '../../parse/record.ts';

/** Longest row, in bytes. */
const rowBytesMax = 8 << 20;

const parser: Parser = {
  mediaTypes: ['text/csv', 'text/tab-separated-values', 'application/csv'],
  endings: ['.csv', '.tsv'],
  isList: true,
  async *parse(file, parts) {
    let header: string[] | undefined;
    let row = 0;
    for await (const { record, info } of readRows(parts, delimiterOf(file.path, file.mediaType))) {
      const start = info.lines - lineEndCount(record);
      if (header === undefined) {
        header = readHeader(record);
        continue;
      }
      row++;
      const place = `${file.path}#${row}`;
      try {
        yield parseRecord(toValues(header, record), place, start);
      } catch (error) {
        if (!(error instanceof UnreadableError)) throw error;
        yield failed(start, error, header.some((name) => name.toLowerCase() === 'id') ? undefined : place);
      }
    }
    if (header === undefined) throw new UnreadableError('is empty: the first row must name the columns');
  },
};

type Row = { record: Buffer[]; info: Info };

/** Yields rows as bytes, so that a row in a wrong encoding is a failure of its own. */
async function* readRows(parts: AsyncIterable<Uint8Array>, delimiter: string): AsyncIterable<Row> {
  const rows = Readable.from(withoutMark(parts)).pipe(
    createCsvParser({
      encoding: null,
      delimiter,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: rowBytesMax,
    }),
  );
  try {
    for await (const row of rows) yield row as Row;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number(error.lines ?? 0);
    throw new UnreadableError(`is not CSV after this row (${error.code}): check the quotes`, undefined, line);
  } finally {
    rows.destroy();
  }
}

/** Removes a byte order mark, which the library recognizes only in text. */
async function* withoutMark(parts: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  for await (const part of parts) {
    if (head === undefined) yield part;
    else {
      head = Buffer.concat([head, part]);
      if (head.byteLength < 3) continue;
      yield isMark(head) ? head.subarray(3) : head;
      head = undefined;
    }
  }
  if (head !== undefined) yield head;
}

function isMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function lineEndCount(record: readonly Buffer[]): number {
  let count = 0;
  for (const field of record) for (const byte of field) if (byte === 10) count++;
  return count;
}

function readHeader(record: Buffer[]): string[] {
  const header = record.map((field) => decode(field).trim());
  const known = new Set<string>([...textNames]);
  if (!header.some((name) => known.has(name.toLowerCase()))) {
    throw new UnreadableError(
      `no column holds the text: name the columns in the first row, one of ${textNames.join(', ')}, ` +
        `and for titles one of ${titleNames.join(', ')}`,
      undefined,
      1,
    );
  }
  return header;
}

function toValues(header: readonly string[], record: readonly Buffer[]): Record<string, string> {
  if (record.length > header.length && record.slice(header.length).some((field) => field.length > 0)) {
    throw new UnreadableError(
      `has ${record.length} fields, but the header has ${header.length}: quote fields with commas`,
    );
  }
  return Object.fromEntries(header.map((name, index) => [name, record[index] ? decode(record[index]) : '']));
}

function delimiterOf(path: string, mediaType: string): string {
  return mediaType.startsWith('text/tab-separated-values') || path.toLowerCase().endsWith('.tsv') ? '\t' : ',';
}

/** Reads comma- or tab-separated rows under a header: one document for each row, such as a question with its answer. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
