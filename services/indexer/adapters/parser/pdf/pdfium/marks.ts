import type { Point, Rule } from '../layout/geometry.ts';
import { drawModeOf } from './draw-mode.ts';
import type { Pdfium } from './library.ts';
import { apply, identity, type Matrix, matrixOf, multiply } from './matrix.ts';
import type { Placement } from './placement.ts';

/** What a page shows beside text. */
export interface Marks {
  rules: Rule[];
  /** Share of the page that images cover, 0 to 1; overlapping images count twice. */
  imageShare: number;
  /** Paths that are no rules: drawings, or letters as outlines. */
  drawingCount: number;
  /** Pieces of text, of which the font may not say the characters. */
  textCount: number;
}

const types = { text: 1, path: 2, image: 3, shading: 4, form: 5 };
const segments = { line: 0, bezier: 1, move: 2 };
/** Bounds of the work on a page: a drawing can have millions of segments. */
const limits = { objects: 20_000, segments: 100_000, depth: 8, rules: 5000 };
/** Greatest thickness and smallest length of a rule, in points. */
const ruleShape = { thickness: 2.5, length: 4 };

/** Reads the rules of a page, and how much else is drawn on it. */
export function readMarks(pdfium: Pdfium, page: number, placement: Placement): Marks {
  const { call } = pdfium;
  const marks: Marks = { rules: [], imageShare: 0, drawingCount: 0, textCount: 0 };
  let objectCount = 0;
  let segmentCount = 0;
  const pageArea = Math.max(1, placement.width * placement.height);

  const visit = (object: number, outer: Matrix, depth: number): void => {
    if (++objectCount > limits.objects) return;
    switch (call.FPDFPageObj_GetType(object)) {
      case types.text:
        marks.textCount++;
        break;
      case types.path:
        addPath(object, outer);
        break;
      case types.image:
      case types.shading:
        marks.imageShare += areaOf(object, outer) / pageArea;
        break;
      case types.form: {
        if (depth >= limits.depth) break;
        const inner = multiply(matrixOf(pdfium, object), outer);
        const count = call.FPDFFormObj_CountObjects(object);
        for (let index = 0; index < count && objectCount <= limits.objects; index++) {
          visit(call.FPDFFormObj_GetObject(object, index), inner, depth + 1);
        }
        break;
      }
    }
  };
  const areaOf = (object: number, outer: Matrix): number => {
    const bounds = pdfium.floats(4, (...at) => call.FPDFPageObj_GetBounds(object, ...at));
    if (bounds === undefined) return 0;
    const [left = 0, bottom = 0, right = 0, top = 0] = bounds;
    const scale = Math.abs(outer[0] * outer[3] - outer[1] * outer[2]);
    return Math.min(pageArea, Math.abs((right - left) * (top - bottom)) * scale);
  };
  const addPath = (object: number, outer: Matrix): void => {
    const toPage = multiply(matrixOf(pdfium, object), outer);
    let parts = 0;
    const { isFilled, isStroked } = drawModeOf(pdfium, object);
    for (const points of pathsOf(object, toPage)) parts += addRules(points, marks.rules, isFilled && !isStroked);
    if (parts === 0) marks.drawingCount++;
  };
  const pathsOf = (object: number, toPage: Matrix): Point[][] => {
    const paths: Point[][] = [];
    const count = call.FPDFPath_CountSegments(object);
    for (let index = 0; index < count && segmentCount < limits.segments; index++, segmentCount++) {
      const segment = call.FPDFPath_GetPathSegment(object, index);
      const at = pdfium.floats(2, (...to) => call.FPDFPathSegment_GetPoint(segment, ...to));
      if (at === undefined) continue;
      const [x, y] = apply(toPage, at[0] as number, at[1] as number);
      const point = placement.place(x, y);
      const type = call.FPDFPathSegment_GetType(segment);
      // A curve ends a straight part: its control points are on no line.
      if (type !== segments.line) paths.push([]);
      const path = paths.at(-1) ?? [];
      if (type !== segments.bezier) path.push(point);
      if (call.FPDFPathSegment_GetClose(segment) === 1 && path[0] !== undefined) path.push(path[0]);
    }
    return paths;
  };

  const count = call.FPDFPage_CountObjects(page);
  for (let index = 0; index < count; index++) visit(call.FPDFPage_GetObject(page, index), identity, 0);
  marks.imageShare = Math.min(1, marks.imageShare);
  return marks;
}

/** Adds the straight parts of a path; returns how many there are. A thin area is one rule along its length. */
function addRules(points: readonly Point[], rules: Rule[], isFill: boolean): number {
  if (points.length < 2 || rules.length >= limits.rules) return 0;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const hull = { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
  const width = hull.right - hull.left;
  const height = hull.bottom - hull.top;
  if (Math.min(width, height) <= ruleShape.thickness) {
    if (Math.max(width, height) < ruleShape.length) return 1;
    rules.push({ ...hull, isHorizontal: width >= height });
    return 1;
  }
  let count = 0;
  for (let index = 1; index < points.length; index++) {
    const [fromX, fromY] = points[index - 1] as Point;
    const [toX, toY] = points[index] as Point;
    const isHorizontal = Math.abs(fromY - toY) <= 0.5 && Math.abs(fromX - toX) >= ruleShape.length;
    const isVertical = Math.abs(fromX - toX) <= 0.5 && Math.abs(fromY - toY) >= ruleShape.length;
    if (!isHorizontal && !isVertical) continue;
    count++;
    rules.push({
      ...{ left: Math.min(fromX, toX), right: Math.max(fromX, toX) },
      ...{ top: Math.min(fromY, toY), bottom: Math.max(fromY, toY) },
      isHorizontal,
      ...(isFill && { isEdge: true }),
    });
  }
  return count;
}
