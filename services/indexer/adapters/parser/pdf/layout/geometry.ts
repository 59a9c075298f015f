/** A place in points, from the upper left corner of the page as it is displayed. */
export type Point = readonly [x: number, y: number];

/** A rectangle in points, from the upper left corner of the page as it is displayed. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A character as it is drawn. */
export interface Glyph extends Box {
  /** One character; U+FFFD if the font does not say which. */
  text: string;
  /** Vertical position of the line of writing. */
  baseline: number;
  /** Size of the font as displayed, in points. */
  size: number;
  isBold: boolean;
  /** What is before it: a character, a gap that looks like a space, a space that is written, or the end of a line. */
  follows: 'glyph' | 'gap' | 'space' | 'line';
  /** Marked content that it belongs to; -1 for none. */
  contentId: number;
}

/** A character at its place on the page as displayed. */
export interface PlacedGlyph extends Pick<Glyph, 'text' | 'follows' | 'size' | 'isBold' | 'contentId'> {
  /** Two opposite corners of the area that it advances over. */
  corners: readonly [Point, Point];
  /** The point at which it is put on its line. */
  origin: Point;
  /** Quarter turns, clockwise, by which it is displayed. */
  turns: number;
}

/** A straight line or thin bar, horizontal or vertical. */
export interface Rule extends Box {
  isHorizontal: boolean;
  /** Whether it is the edge of a filled area, which may be the ground of a cell. */
  isEdge?: boolean;
}

/** Returns the smallest box around boxes; all zero for none. */
export function hullOf(boxes: readonly Box[]): Box {
  const first = boxes[0];
  if (first === undefined) return { left: 0, top: 0, right: 0, bottom: 0 };
  let { left, top, right, bottom } = first;
  for (const box of boxes) {
    left = Math.min(left, box.left);
    top = Math.min(top, box.top);
    right = Math.max(right, box.right);
    bottom = Math.max(bottom, box.bottom);
  }
  return { left, top, right, bottom };
}

/** Returns the length that two boxes share horizontally; negative for a gap. */
export function overlapX(one: Box, other: Box): number {
  return Math.min(one.right, other.right) - Math.max(one.left, other.left);
}

/** Returns the length that two boxes share vertically; negative for a gap. */
export function overlapY(one: Box, other: Box): number {
  return Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
}

/** Returns the median; 0 for no values. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
