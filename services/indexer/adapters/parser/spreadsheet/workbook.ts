import { type CellObject, read, SSF, utils, type WorkBook, type WorkSheet } from '@e965/xlsx';
import { UnreadableError } from '../../../parse/parser.ts';
import {
  noCounts,
  type Sheet,
  type SheetCounts,
  type SheetRow,
  sheetColumnsMax,
  sheetRowsMax,
} from '../../../parse/table/sheet.ts';
import { encrypted } from '../../../parse/zip/open-zip.ts';

/** Cells of a workbook that are read. */
const cellsMax = 2_000_000;

/** Rows of a sheet, each with its cells by column; both may have holes. */
type Cells = readonly (readonly (CellObject | undefined)[] | undefined)[];

/**
 * Returns the sheets of a workbook that a reader sees. `missing` has the addresses of formulas without a result, by sheet. Throws
 * UnreadableError if it is none, or encrypted.
 */
export function readWorkbook(
  bytes: Buffer,
  missing: ReadonlyMap<string, ReadonlySet<string>>,
): { sheets: Sheet[]; counts: SheetCounts } {
  const workbook = open(bytes);
  const counts = { ...noCounts };
  const budget = { rows: sheetRowsMax, cells: cellsMax };
  const sheets: Sheet[] = [];
  for (const [index, name] of workbook.SheetNames.entries()) {
    const sheet = workbook.Sheets[name];
    if ((workbook.Workbook?.Sheets?.[index]?.Hidden ?? 0) !== 0) counts.hiddenSheets++;
    // Sheets of charts and of macros have no cells.
    else if (sheet?.['!data'] !== undefined) {
      counts.missingValues += clear(sheet['!data'] as Cells, missing.get(name) ?? new Set());
      showRefused(sheet['!data'] as Cells, workbook.Workbook?.WBProps?.date1904 === true);
      sheets.push({ name, rows: readRows(sheet, budget, counts) });
    }
  }
  return { sheets, counts };
}

function open(bytes: Buffer): WorkBook {
  try {
    const options = {
      type: 'buffer',
      dense: true,
      cellStyles: true,
      cellNF: true,
      sheetRows: sheetRowsMax,
      dateNF: 'yyyy-mm-dd',
    } as const;
    return read(bytes, options);
  } catch (error) {
    if (/password|encrypt/i.test((error as Error).message)) throw encrypted();
    throw new UnreadableError('is not a workbook that can be read: save it as .xlsx');
  }
}

/** Removes the values of cells without a result. Returns how many there were. */
function clear(data: Cells, addresses: ReadonlySet<string>): number {
  let count = 0;
  for (const address of addresses) {
    const { r: row, c: column } = utils.decode_cell(address);
    const cell = data[row]?.[column];
    if (cell === undefined) continue;
    count++;
    delete cell.v;
  }
  return count;
}

function readRows(sheet: WorkSheet, budget: { rows: number; cells: number }, counts: SheetCounts): SheetRow[] {
  const data = sheet['!data'] as Cells;
  const columns = hiddenColumnsOf(sheet);
  const usedColumns = data.reduce((most, row) => Math.max(most, row?.length ?? 0), 0);
  counts.hiddenColumns += [...columns].filter((index) => index < usedColumns).length;
  const merges = mergesOf(sheet);
  const rows: SheetRow[] = [];
  for (let index = 0; index < data.length; index++) {
    if (sheet['!rows']?.[index]?.hidden === true) {
      if (data[index]?.some((cell) => textOf(cell) !== '') === true) counts.hiddenRows++;
      continue;
    }
    if (budget.rows <= 0 || budget.cells <= 0) {
      counts.cutOffRows += data.length - index;
      break;
    }
    const cells = readCells(data, index, columns, merges);
    budget.rows--;
    budget.cells -= cells.length;
    rows.push({ number: index + 1, cells });
  }
  return rows;
}

function hiddenColumnsOf(sheet: WorkSheet): ReadonlySet<number> {
  const hidden = new Set<number>();
  for (const [index, column] of (sheet['!cols'] ?? []).entries()) if (column?.hidden === true) hidden.add(index);
  return hidden;
}

/** Returns the cells of a row that are not in a hidden column. A merged cell is repeated in every row that it covers. */
function readCells(data: Cells, row: number, hidden: ReadonlySet<number>, merges: Merges): SheetRow['cells'] {
  const cells: SheetRow['cells'][number][] = [];
  const width = Math.min(data[row]?.length ?? 0, sheetColumnsMax);
  for (let column = 0; column < width; column++) {
    const merge = merges.get(`${row}:${column}`);
    const text = textOf(merge === undefined ? data[row]?.[column] : data[merge.row]?.[merge.column]);
    const last = column + (merge?.column === column ? merge.columnSpan : 1);
    let columnSpan = 0;
    for (; column < last; column++) if (!hidden.has(column)) columnSpan++;
    column--;
    if (columnSpan > 0) cells.push({ text, columnSpan, rowSpan: 1 });
  }
  return cells;
}

/** For each cell that a merge covers, the beginning of the merge. */
type Merges = ReadonlyMap<string, { row: number; column: number; columnSpan: number }>;

function mergesOf(sheet: WorkSheet): Merges {
  const merges = new Map<string, { row: number; column: number; columnSpan: number }>();
  for (const { s: start, e: end } of sheet['!merges'] ?? []) {
    const origin = { row: start.r, column: start.c, columnSpan: Math.min(end.c - start.c + 1, sheetColumnsMax) };
    for (let row = start.r; row <= end.r && merges.size < cellsMax; row++) {
      for (let index = 0; index < origin.columnSpan; index++) merges.set(`${row}:${start.c + index}`, origin);
    }
  }
  return merges;
}

/** Returns the value as the sheet shows it. */
function textOf(cell: CellObject | undefined): string {
  return cell?.v === undefined ? '' : String(cell.w ?? cell.v).trim();
}

/**
 * Shows the numbers in formats that the library refuses: programs other than Excel write the dots of "dd.mm.yyyy" without a backslash, and it
 * takes them for those of fractions of a second.
 */
function showRefused(data: Cells, date1904: boolean): void {
  for (const row of data) {
    for (const cell of row ?? []) {
      if (typeof cell?.v === 'number' && cell.w === undefined) cell.w = shownAs(String(cell.z ?? ''), cell.v, date1904);
    }
  }
}

function shownAs(format: string, value: number, date1904: boolean): string {
  const escaped = format.replace(/("[^"]*"|\\.|\[[^\]]*\])|\.(?!0)/g, (_, kept: string | undefined) => kept ?? '\\.');
  for (const one of [escaped, SSF.is_date(format) ? 'yyyy-mm-dd' : 'General']) {
    try {
      return SSF.format(one, value, { date1904 });
    } catch {
      // The next one.
    }
  }
  return String(value);
}
