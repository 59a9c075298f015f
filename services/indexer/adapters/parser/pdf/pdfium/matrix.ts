import type { Point } from '../layout/geometry.ts';
import type { Pdfium } from './library.ts';

/** Maps points of an object to those of its page. */
export type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];
export const identity: Matrix = [1, 0, 0, 1, 0, 0];

/** Returns the matrix of a page object. */
export function matrixOf(pdfium: Pdfium, object: number): Matrix {
  const at = pdfium.allocate(24);
  const isKnown = pdfium.call.FPDFPageObj_GetMatrix(object, at) !== 0;
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = isKnown ? new Float32Array(pdfium.bytes().buffer, at, 6) : [];
  pdfium.free(at);
  return [a, b, c, d, e, f];
}

/** Returns the matrix that applies `inner` first. */
export function multiply([a, b, c, d, e, f]: Matrix, [A, B, C, D, E, F]: Matrix): Matrix {
  return [a * A + b * C, a * B + b * D, c * A + d * C, c * B + d * D, e * A + f * C + E, e * B + f * D + F];
}

/** Returns a point of an object as one of its page. */
export function apply([a, b, c, d, e, f]: Matrix, x: number, y: number): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}
