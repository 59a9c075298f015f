import { type Bitmap, ocrSideMax } from '../../../../parse/ocr.ts';
import type { Pdfium } from './library.ts';
import { withPage } from './page.ts';
import { placementOf } from './placement.ts';

/** Pixels for each point: 120 for each inch, at which small print can be read. More takes memory, not errors. */
const scaleUsual = 120 / 72;
const formatBgra = 4;
const withAnnotations = 1;

/** Width and height of a page in points. */
export interface PageSize {
  width: number;
  height: number;
}

/** A page as an image, with its pixels for each point. */
export interface RenderedBitmap {
  bitmap: Bitmap;
  scale: number;
  size: PageSize;
}

/** Returns the scale at which a page is read by OCR. */
function readingScale({ width, height }: PageSize): number {
  return Math.min(scaleUsual, ocrSideMax / Math.max(width, height));
}

/** Returns a page as it is displayed. `scaleOf` returns the pixels for each point of a page of that size. */
export function renderPage(
  pdfium: Pdfium,
  document: number,
  number: number,
  scaleOf: (size: PageSize) => number = readingScale,
): RenderedBitmap {
  const { call } = pdfium;
  return withPage(pdfium, document, number, (page) => {
    const { width: pageWidth, height: pageHeight } = placementOf(pdfium, page);
    const size = { width: pageWidth, height: pageHeight };
    const scale = scaleOf(size);
    const width = Math.max(1, Math.round(size.width * scale));
    const height = Math.max(1, Math.round(size.height * scale));
    const bitmap = call.FPDFBitmap_CreateEx(width, height, formatBgra, 0, width * 4);
    if (bitmap === 0) throw new RangeError('no memory for the image of a page');
    try {
      call.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xffffffff);
      call.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, withAnnotations);
      const start = call.FPDFBitmap_GetBuffer(bitmap);
      const pixels = pdfium.bytes().slice(start, start + width * height * 4);
      swapRedAndBlue(pixels);
      return { bitmap: { width, height, pixels }, scale, size };
    } finally {
      call.FPDFBitmap_Destroy(bitmap);
    }
  });
}

function swapRedAndBlue(pixels: Uint8Array): void {
  for (let at = 0; at + 2 < pixels.length; at += 4) {
    const blue = pixels[at] as number;
    pixels[at] = pixels[at + 2] as number;
    pixels[at + 2] = blue;
  }
}
