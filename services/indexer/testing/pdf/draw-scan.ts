import { openDocument } from '../../adapters/parser/pdf/pdfium/document.ts';
import { loadPdfium } from '../../adapters/parser/pdf/pdfium/library.ts';
import { renderPage } from '../../adapters/parser/pdf/pdfium/render.ts';
import type { Bitmap } from '../../parse/ocr.ts';
import { type PdfPage, writePdf } from './pdf-writer.ts';

/** Returns a page as an image, as a scanner would make it. */
export async function drawScan(page: PdfPage): Promise<Bitmap> {
  const pdfium = await loadPdfium();
  const document = openDocument(pdfium, writePdf([page]));
  try {
    return renderPage(pdfium, document.pointer, 1).bitmap;
  } finally {
    document.close();
  }
}
