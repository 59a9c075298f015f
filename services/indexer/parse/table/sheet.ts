import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createTextBuilder, type TextBuilder } from '../blocks.ts';
import { noted, type Parsed, type SourceFile } from '../parser.ts';
import { parseWhole } from '../whole-document.ts';
import { readColumns } from './columns.ts';
import { addGrid, type GridRow } from './grid.ts';
import { parseRows, type Row } from './rows.ts';

/** A row of a sheet, as a reader sees it. */
export interface SheetRow extends Omit<GridRow, 'isHeader'> {
  /** Number of the row in the sheet, from 1. */
  number: number;
}

/** A sheet that a reader sees, without its empty rows at the end. */
export interface Sheet {
  name: string;
  rows: readonly SheetRow[];
}

/** What was left out of a workbook. */
export interface SheetCounts {
  hiddenSheets: number;
  hiddenRows: number;
  hiddenColumns: number;
  /** Formulas without a result in the file. */
  missingValues: number;
  cutOffRows: number;
}

/** Nothing was left out. */
export const noCounts: Readonly<SheetCounts> = {
  hiddenSheets: 0,
  hiddenRows: 0,
  hiddenColumns: 0,
  missingValues: 0,
  cutOffRows: 0,
};

/** Rows of a workbook that are read. */
export const sheetRowsMax = 200_000;
export const sheetColumnsMax = 500;
/** Names that programs give to sheets. */
const defaultName = /^(?:sheet|工作表|表|tabelle|feuil|hoja|munka|лист|シート)\s*\d*$/i;
/** Rows in which the names of columns are looked for. */
const headerRowsMax = 10;

/**
 * Yields the documents of a workbook. A sheet of questions with answers, or of titles with texts, is one document for each row, as in CSV;
 * all other sheets together are one document.
 */
export async function* parseSheets(
  file: SourceFile,
  sheets: readonly Sheet[],
  values: Readonly<Record<string, unknown>>,
  counts: SheetCounts,
): AsyncIterable<Parsed> {
  yield* notesOnCounts(counts);
  const builder = createTextBuilder();
  let hasRecords = false;
  const seen = new Set<string>();
  for (const sheet of sheets) {
    const records = recordsOf(file, sheet);
    if (records !== undefined) {
      hasRecords = true;
      for await (const parsed of records) yield toRecord(parsed, file, sheet.name, seen);
    } else addSheet(builder, sheet, sheets.length > 1 || !defaultName.test(sheet.name));
  }
  const { text, blocks } = builder.finish();
  if (blocks.length > 0 || !hasRecords) yield* parseWhole(file, { text, blocks, values });
}

const placeOf = (file: SourceFile, sheet: string, row: number) => `${file.path}#${sheet}!${row}`;

/** Returns the documents of a sheet whose columns say that its rows are documents; `undefined` for any other sheet. */
function recordsOf(file: SourceFile, { name, rows }: Sheet): AsyncIterable<Parsed> | undefined {
  const hasMapping = Object.keys(file.columns ?? {}).length > 0;
  for (const [index, row] of rows.slice(0, headerRowsMax).entries()) {
    const texts = textsOf(row);
    if (texts.filter((text) => text !== '').length < 2) continue;
    const columns = readColumns(texts, hasMapping ? file.columns : undefined);
    if (!columns.hasText || !(columns.hasHeader || hasMapping)) return undefined;
    const below = rows.slice(columns.hasHeader ? index + 1 : index);
    const records = async function* (): AsyncIterable<Row> {
      for (const record of below) {
        const cells = textsOf(record).slice(0, columns.names.length);
        const isFilled = cells.some((cell) => cell !== '');
        if (isFilled) yield { cells: () => cells, line: record.number, place: placeOf(file, name, record.number) };
      }
    };
    return parseRows(records(), columns);
  }
  return undefined;
}

/** Returns a text for each column; that of a cell over several columns is in its first one. */
function textsOf({ cells }: SheetRow): string[] {
  return cells.flatMap(({ text, columnSpan }) => [text.trim(), ...Array<string>(columnSpan - 1).fill('')]);
}

/** Returns the document of a row with the name of its sheet. An id that another row has too becomes the place. */
function toRecord(parsed: Parsed, file: SourceFile, sheet: string, seen: Set<string>): Parsed {
  if (parsed.kind !== 'document') return parsed;
  const { document } = parsed;
  const isRepeated = seen.has(document.documentId);
  seen.add(document.documentId);
  const attributes = defaultName.test(sheet) ? document.attributes : { ...document.attributes, sheet };
  const id = isRepeated ? { documentId: placeOf(file, sheet, document.line), isPlaced: true } : {};
  return { kind: 'document', document: { ...document, attributes, ...id } };
}

/** Adds a sheet as text: empty rows separate its tables. */
function addSheet(builder: TextBuilder, { name, rows }: Sheet, isNamed: boolean): void {
  const isEmpty = ({ cells }: SheetRow) => cells.every(({ text }) => text.trim() === '');
  if (rows.every(isEmpty)) return;
  if (isNamed) builder.addHeading(2, name);
  let table: SheetRow[] = [];
  for (const row of [...rows, { number: 0, cells: [] }]) {
    if (!isEmpty(row)) table.push(row);
    else {
      addTable(builder, table);
      table = [];
    }
  }
}

/** Adds a table without the empty columns on its left. Rows with one text above it are lines about it. */
function addTable(builder: TextBuilder, rows: readonly SheetRow[]): void {
  const filled = rows.map((row) => textsOf(row).flatMap((text, index) => (text === '' ? [] : [index])));
  const isWide = filled.some((columns) => columns.length > 1);
  const start = isWide || rows.length === 1 ? filled.findIndex((columns) => columns.length > 1) : 0;
  const above = start === -1 ? rows : rows.slice(0, start);
  for (const row of above) builder.add('paragraph', textsOf(row).join(' '));
  if (start === -1) return;
  const left = filled.slice(start).reduce((least, [first = 0]) => Math.min(least, first), sheetColumnsMax);
  const table: GridRow[] = rows.slice(start).map(({ cells }) => ({ cells: cells.slice(left), isHeader: false }));
  addGrid(builder, table);
}

function* notesOnCounts(counts: SheetCounts): Iterable<Parsed> {
  const { hiddenSheets, hiddenRows, hiddenColumns, missingValues, cutOffRows } = counts;
  const hidden = [
    [hiddenSheets, 'sheets'],
    [hiddenRows, 'rows'],
    [hiddenColumns, 'columns'],
  ] as const;
  const named = hidden.filter(([count]) => count > 0).map(([count, what]) => `${what}: ${count}`);
  const hiddenCount = hiddenSheets + hiddenRows + hiddenColumns;
  if (hiddenCount > 0) {
    yield noted(
      NoteKind.HIDDEN_SKIPPED,
      hiddenCount,
      `hidden parts were left out (${named.join(', ')}): show them to index them`,
    );
  }
  if (missingValues > 0) {
    const message = 'formulas have no result in the file: open and save it in a spreadsheet program';
    yield noted(NoteKind.VALUE_MISSING, missingValues, message);
  }
  if (cutOffRows > 0) {
    yield noted(
      NoteKind.CUT_OFF,
      cutOffRows,
      `only the first ${sheetRowsMax} rows of the workbook were read: split it`,
    );
  }
}
