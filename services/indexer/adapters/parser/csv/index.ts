import { finished } from 'node:stream';
import { CsvError, parse as createCsvParser, type Info } from 'csv-parse';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { decodeRecord, openText } from '../../../parse/decode.ts';
import { type Parser, UnreadableError } from '../../../parse/parser.ts';
import { readColumns } from '../../../parse/table/columns.ts';
import { parseRows, type Row } from '../../../parse/table/rows.ts';
import { detectDialect } from './dialect.ts';

/** Longest row, in bytes. */
const rowBytesMax = 8 << 20;
/** Bytes by which the delimiter is found. */
const headBytes = 64 << 10;
/** Bytes whose rows are in memory at a time. */
const writeBytes = 64 << 10;

const parser: Parser = {
  mediaTypes: ['text/csv', 'text/tab-separated-values', 'application/csv'],
  endings: ['.csv', '.tsv', '.tab'],
  isList: true,
  async *parse(file, bytes) {
    const { parts, charset, notes } = await openText(file, bytes);
    yield* notes;
    const isTabs = file.mediaType.startsWith('text/tab-separated-values') || /\.(?:tsv|tab)$/i.test(file.path);
    const found = readRows(parts, isTabs ? '\t' : undefined)[Symbol.asyncIterator]();
    try {
      const cellsOf = (record: readonly Buffer[]) => record.map((field) => decodeRecord(field, charset));
      const above = await readAbove(found, cellsOf);
      const [first] = above;
      if (first === undefined) throw new UnreadableError('is empty: the first row should name the columns');
      const columns = readColumns(cellsOf(first.record), file.columns);
      const rows = async function* (): AsyncIterable<Row> {
        let row = 0;
        const toRow = ({ record, info }: RawRow): Row => ({
          cells: () => cellsOf(record),
          line: info.lines - lineEndCount(record),
          place: `${file.path}#${++row}`,
        });
        for (const raw of columns.hasHeader ? above.slice(1) : above) yield toRow(raw);
        for await (const raw of { [Symbol.asyncIterator]: () => found }) yield toRow(raw);
      };
      yield* parseRows(rows(), columns);
    } finally {
      await found.return?.(undefined);
    }
  },
};

type RawRow = { record: Buffer[]; info: Info };

/** Rows in which the names of columns are looked for. */
const headerRowsMax = 10;

/**
 * Reads rows up to the first one with two values, and returns those from the row with the names of columns on: the last one, if lines about
 * the table are above names that are known, else the first one.
 */
async function readAbove(
  rows: AsyncIterator<RawRow>,
  cellsOf: (record: readonly Buffer[]) => string[],
): Promise<RawRow[]> {
  const above: RawRow[] = [];
  while (above.length < headerRowsMax) {
    const { value, done } = await rows.next();
    if (done === true) return above;
    above.push(value);
    if (value.record.filter((field) => field.length > 0).length < 2) continue;
    const { hasHeader, hasText } = readColumns(cellsOf(value.record));
    return hasHeader && hasText ? [value] : above;
  }
  return above;
}

/** Yields rows as bytes, so that a row with damaged bytes is a failure of its own. */
async function* readRows(parts: AsyncIterable<Uint8Array>, given: string | undefined): AsyncGenerator<RawRow> {
  const { head, all } = await peek(parts);
  const { delimiter, skippedLines } = detectDialect(head, given);
  const rows: RawRow[] = [];
  const parser = createCsvParser({
    encoding: null,
    delimiter,
    from_line: skippedLines + 1,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    max_record_size: rowBytesMax,
    // The rows before a broken one would be lost in the stream's buffer.
    on_record: (row: unknown) => {
      rows.push(row as RawRow);
      return null;
    },
  });
  parser.resume();
  // It is what the callbacks below get.
  parser.on('error', () => {});
  try {
    for await (const part of all) {
      for (let start = 0; start < part.byteLength; start += writeBytes) {
        const error = await settled((done) => parser.write(part.subarray(start, start + writeBytes), done));
        yield* rows.splice(0);
        if (error !== undefined) throw error;
      }
    }
    const error = await settled((done) => finished(parser.end(), done));
    yield* rows.splice(0);
    if (error !== undefined) throw error;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number(error.lines ?? 0);
    throw new UnreadableError(`is not CSV after this row (${error.code}): check the quotes`, undefined, line);
  } finally {
    parser.destroy();
  }
}

/** Returns the error that a call reports to its callback, if it does. */
function settled(call: (done: (error?: Error | null) => void) => unknown): Promise<Error | undefined> {
  return new Promise((resolve) => call((error) => resolve(error ?? undefined)));
}

/** Returns the beginning of a stream as text, and the whole stream. */
async function peek(parts: AsyncIterable<Uint8Array>): Promise<{ head: string; all: AsyncIterable<Uint8Array> }> {
  const iterator = parts[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  let isDone = false;
  while (head.byteLength < headBytes && !isDone) {
    const { value, done } = await iterator.next();
    if (done === true) isDone = true;
    else head = head.byteLength === 0 ? value : Buffer.concat([head, value]);
  }
  const all = async function* () {
    try {
      if (head.byteLength > 0) yield head;
      if (!isDone) for await (const part of { [Symbol.asyncIterator]: () => iterator }) yield part;
    } finally {
      await iterator.return?.();
    }
  };
  return { head: Buffer.from(head.subarray(0, headBytes)).toString('utf8'), all: all() };
}

function lineEndCount(record: readonly Buffer[]): number {
  let count = 0;
  for (const field of record) for (const byte of field) if (byte === 10) count++;
  return count;
}

/** Reads separated values: one document for each row, such as a question with its answer, or a product with its properties. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
