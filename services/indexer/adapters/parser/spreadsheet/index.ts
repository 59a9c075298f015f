import { defineAdapter } from '#kit/host/config/adapters.ts';
import { readWhole } from '../../../parse/decode.ts';
import type { Parser } from '../../../parse/parser.ts';
import { parseSheets } from '../../../parse/table/sheet.ts';
import { readOfficeProperties } from '../../../parse/zip/office-properties.ts';
import { isOle, openZip, verifyZip, zipMax } from '../../../parse/zip/open-zip.ts';
import { findMissingResults } from './missing-results.ts';
import { readWorkbook } from './workbook.ts';

const parser: Parser = {
  mediaTypes: [
    'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
    'application/vnd.ms-excel',
    'application/vnd.ms-excel.sheet.macroenabled.12',
    'application/vnd.ms-excel.sheet.binary.macroenabled.12',
  ],
  endings: ['.xlsx', '.xlsm', '.xlsb', '.xls'],
  // A sheet can be a list of questions and answers.
  isList: true,
  isolation: 'process',
  async *parse(file, bytes) {
    const whole = await readWhole(bytes, zipMax.bytes);
    // The format before 2007 is no archive.
    const zip = isOle(whole) && !isEncrypted(whole) ? undefined : await openZip(whole);
    // The library inflates everything without a limit, so all of it is inflated once before, and counted.
    if (zip !== undefined) await verifyZip(zip);
    const properties = zip === undefined ? {} : await readOfficeProperties(zip);
    const missing = zip === undefined ? new Map() : await findMissingResults(zip);
    const { sheets, counts } = readWorkbook(whole, missing);
    yield* parseSheets(file, sheets, properties, counts);
  },
};

const isEncrypted = (bytes: Buffer) => bytes.includes(Buffer.from('EncryptedPackage', 'utf16le'));

/** Reads Excel workbooks, of the current format and of that before 2007: what a reader sees, with the values as they are shown. */
export const adapter = defineAdapter({ settings: {}, create: () => parser });
