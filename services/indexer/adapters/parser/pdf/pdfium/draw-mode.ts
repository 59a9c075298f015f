import type { Pdfium } from './library.ts';

/** Returns how a path is drawn; neither, if it only clips. */
export function drawModeOf(pdfium: Pdfium, path: number): { isFilled: boolean; isStroked: boolean } {
  const modes = pdfium.allocate(8);
  pdfium.bytes().fill(0, modes, modes + 8);
  pdfium.call.FPDFPath_GetDrawMode(path, modes, modes + 4);
  const [fill = 0, stroke = 0] = new Int32Array(pdfium.bytes().buffer, modes, 2);
  pdfium.free(modes);
  return { isFilled: fill !== 0, isStroked: stroke !== 0 };
}
