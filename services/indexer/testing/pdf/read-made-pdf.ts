import { loadPdfium } from '../../adapters/parser/pdf/pdfium/library.ts';
import { readPdf } from '../../adapters/parser/pdf/read-pdf.ts';
import type { ParsedDocument, ParseFailure, ParseNote } from '../../parse/parser.ts';
import { type PdfPage, type PdfText, writePdf } from './pdf-writer.ts';

const pdfium = loadPdfium();

/** What a PDF was read as. */
export interface MadePdf {
  document: ParsedDocument;
  failures: ParseFailure[];
  notes: ParseNote[];
  /** Kind and text of each block. */
  blocks: [kind: string, text: string][];
  /** Texts of the blocks. */
  texts: string[];
}

/** Reads a PDF in this process. Rejects as the parser does. */
export async function readBytes(bytes: Uint8Array, password?: string): Promise<MadePdf> {
  const file = { path: 'manual.pdf', mediaType: '', sizeBytes: bytes.byteLength, password };
  const failures: ParseFailure[] = [];
  const notes: ParseNote[] = [];
  let document: ParsedDocument | undefined;
  for await (const parsed of readPdf(await pdfium, file, bytes)) {
    if (parsed.kind === 'document') document = parsed.document;
    if (parsed.kind === 'failure') failures.push(parsed.failure);
    if (parsed.kind === 'note') notes.push(parsed.note);
  }
  if (document === undefined) throw new Error('no document');
  const { text } = document;
  const blocks = document.blocks.map(({ kind, start, end }): [string, string] => [kind, text.slice(start, end)]);
  return { document, failures, notes, blocks, texts: blocks.map(([, one]) => one) };
}

/** Reads a PDF with these pages. */
export function readPages(...pages: PdfPage[]): Promise<MadePdf> {
  return readBytes(writePdf(pages));
}

/** Returns lines of text one below the other. */
export function linesAt(x: number, y: number, lines: readonly string[], style: Partial<PdfText> = {}): PdfText[] {
  const size = style.size ?? 10;
  return lines.map((text, index) => ({ text, x, y: y + index * size * 1.4, ...style }));
}

/** Returns the cells of a table, row by row. */
export function cellsAt(
  xs: readonly number[],
  y: number,
  rows: readonly (readonly string[])[],
  height = 20,
): PdfText[] {
  return rows.flatMap((row, index) =>
    row.flatMap((text, column) => (text === '' ? [] : [{ text, x: xs[column] as number, y: y + index * height }])),
  );
}
