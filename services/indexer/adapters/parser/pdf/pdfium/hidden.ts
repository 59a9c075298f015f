import { type Box, hullOf, type Point } from '../layout/geometry.ts';
import { drawModeOf } from './draw-mode.ts';
import type { Pdfium } from './library.ts';
import { apply, identity, type Matrix, matrixOf, multiply } from './matrix.ts';
import type { Placement } from './placement.ts';

type Color = readonly [red: number, green: number, blue: number];

/** An area that is drawn. `color` is unknown for images, shadings, and shapes that are no filled rectangle. */
interface Paint {
  box: Box;
  color: Color | undefined;
  isOpaque: boolean;
}

/** A text object, and how many areas are drawn before it. */
interface Text {
  object: number;
  box: Box;
  color: Color | undefined;
  paintedBefore: number;
  /** Transparent, or outside of the page or of its clip. */
  isUnseen: boolean;
}

const types = { text: 1, path: 2, image: 3, shading: 4, form: 5 };
const modes = { fill: 0, invisible: 3, fillAndClip: 4, clip: 7 };
/** Bounds of the work on a page. With more areas, all its text counts as visible. */
const limits = { objects: 20_000, paints: 2000, depth: 8, clips: 16, marks: 16 };
/** Points of a closed rectangle. */
const corners = 5;
/** The type of a segment that is no straight line. */
const curve = 1;
const paper: Color = [255, 255, 255];
/** Greatest difference of two colors in each part, of 255, that the eye does not see. */
const sameColor = 8;
/** Opacity, of 255, below which the eye sees nothing. */
const transparent = 13;
/** By how much a letter may look out of an area that covers it, in points. */
const slack = 0.5;

/**
 * Returns the text objects of a page that a reader of it cannot see: in the color of what is behind them, transparent, outside of the page or of
 * their clip, or below an opaque rectangle. In doubt text is visible: over or below an image or an unknown shape, for instance. Text that is
 * not drawn at all is no case of it, because programs for OCR put it over scans.
 */
export function findHiddenTexts(pdfium: Pdfium, page: number, placement: Placement): ReadonlySet<number> {
  const { paints, texts } = readPaints(pdfium, page, placement);
  const isHidden = (text: Text) =>
    text.isUnseen || isBelow(text, paints) || (text.color !== undefined && isOnItsColor(text, text.color, paints));
  if (paints.length > limits.paints) return new Set();
  const hidden = texts.filter(isHidden);
  if (hidden.length === 0) return new Set();
  // Some programs draw a text again over what covers it, and PDFium returns the first of two equal characters at one place.
  const placeOf = ({ box }: Text) => `${Math.round(box.left)} ${Math.round(box.top)} ${Math.round(box.right)}`;
  const seen = new Set(texts.filter((text) => !isHidden(text)).map(placeOf));
  return new Set(hidden.filter((text) => !seen.has(placeOf(text))).map(({ object }) => object));
}

function isBelow({ box, paintedBefore }: Text, paints: readonly Paint[]): boolean {
  return paints.some((paint, index) => index >= paintedBefore && paint.isOpaque && contains(paint.box, box));
}

/** Whether all that is drawn behind and over the text has its color. */
function isOnItsColor({ box, paintedBefore }: Text, color: Color, paints: readonly Paint[]): boolean {
  let ground: Color | undefined = paper;
  for (const [index, paint] of paints.entries()) {
    if (!meets(paint.box, box)) continue;
    if (index >= paintedBefore) {
      if (paint.color === undefined) return false;
    } else if (paint.color !== undefined && paint.isOpaque && contains(paint.box, box)) ground = paint.color;
    else if (paint.color === undefined || !isSame(paint.color, color)) ground = undefined;
  }
  return ground !== undefined && isSame(ground, color);
}

/** Reads what is drawn on the page, in its order. */
function readPaints(pdfium: Pdfium, page: number, placement: Placement): { paints: Paint[]; texts: Text[] } {
  const { call } = pdfium;
  const paints: Paint[] = [];
  const texts: Text[] = [];
  const whole: Box = { left: 0, top: 0, right: placement.width, bottom: placement.height };
  let objectCount = 0;
  const visit = (object: number, outer: Matrix, depth: number): void => {
    if (++objectCount > limits.objects || paints.length > limits.paints) return;
    const type = call.FPDFPageObj_GetType(object);
    if (type === types.form) {
      if (depth < limits.depth) visitForm(object, multiply(matrixOf(pdfium, object), outer), depth + 1);
      return;
    }
    const box = boundsOf(pdfium, object, outer, placement);
    if (box === undefined) return;
    if (type === types.text) addText(object, box, outer);
    else addPaint(object, type, box, outer);
  };
  const visitForm = (form: number, inner: Matrix, depth: number) => {
    const count = call.FPDFFormObj_CountObjects(form);
    for (let index = 0; index < count && objectCount <= limits.objects; index++) {
      visit(call.FPDFFormObj_GetObject(form, index), inner, depth);
    }
  };
  const addText = (object: number, box: Box, outer: Matrix) => {
    const mode = call.FPDFTextObj_GetTextRenderMode(object);
    if (mode === modes.invisible || mode === modes.clip) return;
    const clip = clipOf(pdfium, object, outer, placement);
    const isFilled = mode === modes.fill || mode === modes.fillAndClip;
    const fill = isFilled ? fillOf(pdfium, object) : undefined;
    const isOutside = !meets(box, whole) || (clip !== undefined && clip !== 'unknown' && !meets(box, clip));
    const isUnseen = isOutside || (fill !== undefined && fill.opacity < transparent);
    texts.push({ object, box, color: fill?.color, paintedBefore: paints.length, isUnseen });
  };
  const addPaint = (object: number, type: number, box: Box, outer: Matrix) => {
    const isPath = type === types.path;
    // An outline leaves free what is in it.
    if (isPath && !drawModeOf(pdfium, object).isFilled) return;
    const clip = clipOf(pdfium, object, outer, placement);
    const isKnown = isPath && clip !== 'unknown' && !isOptional(pdfium, object) && isRectangle(pathOf(pdfium, object));
    const fill = isKnown ? fillOf(pdfium, object) : undefined;
    const isOpaque = fill?.opacity === 255 && call.FPDFPageObj_HasTransparency(object) === 0;
    const area = clip === undefined || clip === 'unknown' ? box : intersect(box, clip);
    if (area.left < area.right && area.top < area.bottom) paints.push({ box: area, color: fill?.color, isOpaque });
  };
  const count = call.FPDFPage_CountObjects(page);
  for (let index = 0; index < count; index++) visit(call.FPDFPage_GetObject(page, index), identity, 0);
  return { paints, texts };
}

function boundsOf(pdfium: Pdfium, object: number, outer: Matrix, placement: Placement): Box | undefined {
  const bounds = pdfium.floats(4, (...at) => pdfium.call.FPDFPageObj_GetBounds(object, ...at));
  const [left = 0, bottom = 0, right = 0, top = 0] = bounds ?? [];
  const corners = [
    [left, bottom],
    [left, top],
    [right, bottom],
    [right, top],
  ] as const;
  const box = hullOf(corners.map(([x, y]) => pointBox(placement.place(...apply(outer, x, y)))));
  return box.right - box.left > 0 && box.bottom - box.top > 0 ? box : undefined;
}

/** Returns the area to which an object is clipped; `undefined` for no bound. */
function clipOf(pdfium: Pdfium, object: number, outer: Matrix, placement: Placement): Box | 'unknown' | undefined {
  const { call } = pdfium;
  const path = call.FPDFPageObj_GetClipPath(object);
  const count = path === 0 ? 0 : call.FPDFClipPath_CountPaths(path);
  if (count > limits.clips) return 'unknown';
  let area: Box | undefined;
  for (let index = 0; index < count; index++) {
    const segmentCount = call.FPDFClipPath_CountPathSegments(path, index);
    const segments = Array.from({ length: Math.min(segmentCount, corners + 1) }, (_, segment) =>
      readSegment(pdfium, call.FPDFClipPath_GetPathSegment(path, index, segment)),
    );
    if (!isRectangle(segments)) return 'unknown';
    const box = hullOf(segments.map(({ x, y }) => pointBox(placement.place(...apply(outer, x, y)))));
    area = area === undefined ? box : intersect(area, box);
  }
  return area;
}

interface Segment {
  x: number;
  y: number;
  isCurve: boolean;
}

function readSegment(pdfium: Pdfium, segment: number): Segment {
  const at = pdfium.floats(2, (...to) => pdfium.call.FPDFPathSegment_GetPoint(segment, ...to));
  const [x = 0, y = 0] = at ?? [];
  return { x, y, isCurve: pdfium.call.FPDFPathSegment_GetType(segment) === curve };
}

/** Returns the segments of a path, as many as a rectangle has and one more. */
function pathOf(pdfium: Pdfium, path: number): Segment[] {
  const count = Math.min(pdfium.call.FPDFPath_CountSegments(path), corners + 1);
  return Array.from({ length: count }, (_, index) =>
    readSegment(pdfium, pdfium.call.FPDFPath_GetPathSegment(path, index)),
  );
}

/** Reports whether the segments draw a rectangle along the axes. */
function isRectangle(segments: readonly Segment[]): boolean {
  if (segments.length < 4 || segments.length > corners || segments.some(({ isCurve }) => isCurve)) return false;
  const isNear = (a: number, b: number) => Math.abs(a - b) < 0.01;
  const { left, right, top, bottom } = hullOf(segments.map(({ x, y }) => pointBox([x, y])));
  const isCorner = ({ x, y }: Segment) =>
    (isNear(x, left) || isNear(x, right)) && (isNear(y, top) || isNear(y, bottom));
  const isStraight = (index: number) => {
    const [from, to] = [segments[index - 1] as Segment, segments[index] as Segment];
    return isNear(from.x, to.x) || isNear(from.y, to.y);
  };
  return segments.every(isCorner) && segments.every((_, index) => index === 0 || isStraight(index));
}

function fillOf(pdfium: Pdfium, object: number): { color: Color; opacity: number } | undefined {
  const at = pdfium.allocate(16);
  const isKnown = pdfium.call.FPDFPageObj_GetFillColor(object, at, at + 4, at + 8, at + 12) !== 0;
  const [red = 0, green = 0, blue = 0, opacity = 255] = new Uint32Array(pdfium.bytes().buffer, at, 4);
  pdfium.free(at);
  return isKnown ? { color: [red, green, blue], opacity } : undefined;
}

/** Reports whether the object belongs to content that readers can switch off. */
function isOptional({ call, allocate, bytes, free }: Pdfium, object: number): boolean {
  const count = Math.min(call.FPDFPageObj_CountMarks(object), limits.marks);
  const sizeBytes = 16;
  const at = allocate(sizeBytes + 4);
  let found = false;
  for (let index = 0; index < count && !found; index++) {
    const mark = call.FPDFPageObj_GetMark(object, index);
    const isRead = call.FPDFPageObjMark_GetName(mark, at, sizeBytes, at + sizeBytes) !== 0;
    found = isRead && Buffer.from(bytes().slice(at, at + 6)).toString('utf16le') === 'OC\0';
  }
  free(at);
  return found;
}

const pointBox = ([x, y]: Point): Box => ({ left: x, right: x, top: y, bottom: y });

const isSame = (one: Color, other: Color) =>
  one.every((part, index) => Math.abs(part - (other[index] as number)) <= sameColor);

const meets = (one: Box, other: Box) =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

const contains = (outer: Box, inner: Box) =>
  outer.left <= inner.left + slack &&
  outer.right >= inner.right - slack &&
  outer.top <= inner.top + slack &&
  outer.bottom >= inner.bottom - slack;

const intersect = (one: Box, other: Box): Box => ({
  left: Math.max(one.left, other.left),
  right: Math.min(one.right, other.right),
  top: Math.max(one.top, other.top),
  bottom: Math.min(one.bottom, other.bottom),
});
