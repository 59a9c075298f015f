import type { Point } from '../layout/geometry.ts';
import type { Pdfium } from './library.ts';

/** From points of the file to points from the upper left corner of the page as displayed. */
export interface Placement {
  width: number;
  height: number;
  /** Returns the point as displayed. */
  place(x: number, y: number): Point;
  /** Quarter turns, clockwise, by which the page is displayed. */
  quarterTurns: number;
}

/** Returns how the page is displayed: its crop box, turned. */
export function placementOf({ call, bytes, allocate, free }: Pdfium, page: number): Placement {
  const rectangle = allocate(16);
  const isKnown = call.FPDF_GetPageBoundingBox(page, rectangle) !== 0;
  const [left = 0, top = 792, right = 612, bottom = 0] = isKnown ? new Float32Array(bytes().buffer, rectangle, 4) : [];
  free(rectangle);
  const quarterTurns = call.FPDFPage_GetRotation(page);
  const size = [right - left, top - bottom] as const;
  const [width, height] = quarterTurns % 2 === 0 ? size : [size[1], size[0]];
  const places: Placement['place'][] = [
    (x, y) => [x - left, top - y],
    (x, y) => [y - bottom, x - left],
    (x, y) => [right - x, y - bottom],
    (x, y) => [top - y, right - x],
  ];
  return { width, height, quarterTurns, place: places[quarterTurns] ?? (places[0] as Placement['place']) };
}
