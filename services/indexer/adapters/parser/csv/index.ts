import { Readable } from 'node:stream';
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
      const first = await found.next();
      if (first.done === true) throw new UnreadableError('is empty: the first row should name the columns');
      const cellsOf = (record: readonly Buffer[]) => record.map((field) => decodeRecord(field, charset));
      const columns = readColumns(cellsOf(first.value.record), file.columns);
      const rows = async function* (): AsyncIterable<Row> {
        let row = 0;
        const toRow = ({ record, info }: RawRow): Row => ({
          cells: () => cellsOf(record),
          line: info.lines - lineEndCount(record),
          place: `${file.path}#${++row}`,
        });
        if (!columns.hasHeader) yield toRow(first.value);
        for await (const raw of { [Symbol.asyncIterator]: () => found }) yield toRow(raw);
      };
      yield* parseRows(rows(), columns);
    } finally {
      await found.return?.(undefined);
    }
  },
};

type RawRow = { record: Buffer[]; info: Info };

/** Yields rows as bytes, so that a row with damaged bytes is a failure of its own. */
async function* readRows(parts: AsyncIterable<Uint8Array>, given: string | undefined): AsyncGenerator<RawRow> {
  const { head, all } = await peek(parts);
  const { delimiter, skippedLines } = detectDialect(head, given);
  const rows = Readable.from(all).pipe(
    createCsvParser({
      encoding: null,
      delimiter,
      from_line: skippedLines + 1,
      info: true,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      max_record_size: rowBytesMax,
    }),
  );
  try {
    for await (const row of rows) yield row as RawRow;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = Number(error.lines ?? 0);
    throw new UnreadableError(`is not CSV after this row (${error.code}): check the quotes`, undefined, line);
  } finally {
    rows.destroy();
  }
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
