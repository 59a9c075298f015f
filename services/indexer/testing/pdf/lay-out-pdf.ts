import { elementsOf } from '../../adapters/parser/pdf/layout/elements.ts';
import { openDocument } from '../../adapters/parser/pdf/pdfium/document.ts';
import { loadPdfium } from '../../adapters/parser/pdf/pdfium/library.ts';
import { readPage } from '../../adapters/parser/pdf/pdfium/page.ts';
import { type LaidOut, layOut, partsOf } from '../../adapters/parser/pdf/read-pdf.ts';
import type { Cell } from '../../adapters/parser/pdf/tables/table.ts';

const pdfium = loadPdfium();

/** Returns the words of each page of a PDF, with those of a table row together, as the parser reads them. */
export async function pageTextsOf(bytes: Uint8Array): Promise<string[]> {
  const laidOut: LaidOut = { title: '', pages: [], unreadPages: [], hiddenCount: 0 };
  for await (const _ of layOut(await pdfium, bytes, undefined, laidOut));
  const texts: string[] = [];
  const add = (page: number, text: string) => {
    texts[page - 1] = `${texts[page - 1] ?? ''}${text}\n`;
  };
  for (const part of partsOf(laidOut.pages)) {
    if (part.kind === 'piece') for (const { page } of part.places) add(page, part.text);
    else {
      for (let row = 0; row < part.table.rowCount; row++) {
        const cells = part.table.cells.filter((cell) => cell.row === row);
        add(part.pages[row] ?? part.page, cells.map(({ text }) => text).join(' '));
      }
    }
  }
  return Array.from(texts, (text) => text ?? '');
}

/** Returns the cells of each table of each page by their places, without tags and before tables of several pages are joined. */
export async function tableCellsOf(bytes: Uint8Array): Promise<Cell[][]> {
  const loaded = await pdfium;
  const document = openDocument(loaded, bytes);
  try {
    const pages = Array.from({ length: document.pageCount }, (_, index) =>
      readPage(loaded, document.pointer, index + 1, false),
    );
    return pages.flatMap((page) => elementsOf(page).flatMap((one) => (one.kind === 'table' ? [one.table.cells] : [])));
  } finally {
    document.close();
  }
}
