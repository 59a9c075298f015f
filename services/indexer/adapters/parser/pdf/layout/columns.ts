import { type Box, hullOf, medianOf, overlapY } from './geometry.ts';
import type { Row } from './words.ts';

// Reading order: text in columns is read one column after the other. A gutter is a vertical strip without words beside lines of prose on both
// sides; strips between cells of a table are none.

/** Least rows on each side of a gutter. */
const rowsMin = 3;
/** Least width of a gutter, in shares of the size of the font. */
const gutterMin = 0.8;
/** Share of a column that a line of prose fills, and its least length in characters. */
const prose = { fill: 0.6, length: 9 };
const depthMax = 6;

/** Returns the rows in reading order, as parts: each part is one column of lines from top to bottom. */
export function partsInOrder(rows: readonly Row[], depth = 0): Row[][] {
  const gutter = depth < depthMax ? findGutter(rows) : undefined;
  if (gutter === undefined) return rows.length === 0 ? [] : [[...rows]];
  const { from, to, x } = gutter;
  const inside = rows.slice(from, to);
  return [
    ...partsInOrder(rows.slice(0, from), depth + 1),
    ...partsInOrder(
      sideOf(inside, (right) => right <= x),
      depth + 1,
    ),
    ...partsInOrder(
      sideOf(inside, (_, left) => left >= x),
      depth + 1,
    ),
    ...partsInOrder(rows.slice(to), depth + 1),
  ];
}

function sideOf(rows: readonly Row[], isIn: (right: number, left: number) => boolean): Row[] {
  return rows.flatMap((row) => {
    const segments = row.segments.filter(({ left, right }) => isIn(right, left));
    return segments.length === 0 ? [] : [{ ...row, ...hullOf(segments), segments }];
  });
}

interface Gutter {
  from: number;
  to: number;
  x: number;
}

/** Returns the gutter beside most rows. */
function findGutter(rows: readonly Row[]): Gutter | undefined {
  if (rows.length < rowsMin * 2 && rows.length < 4) return undefined;
  let best: (Gutter & { height: number }) | undefined;
  for (const x of candidatesOf(rows)) {
    for (const { from, to } of runsBeside(rows, x)) {
      const inside = rows.slice(from, to);
      const left = sideOf(inside, (right) => right <= x);
      const right = sideOf(inside, (_, start) => start >= x);
      const height = overlapY(hullOf(left), hullOf(right));
      if (left.length < rowsMin || right.length < rowsMin || height <= 0) continue;
      const size = medianOf(inside.flatMap(({ segments }) => segments.map((segment) => segment.size)));
      if (hullOf(right).left - hullOf(left).right < size * gutterMin) continue;
      if (!isProse(left) || !isProse(right)) continue;
      if (best === undefined || height > best.height) best = { from, to, x, height };
    }
  }
  return best;
}

/** Returns positions with few words above and below, in the middle of the rows. */
function candidatesOf(rows: readonly Row[]): number[] {
  const hull = hullOf(rows);
  const width = Math.ceil(hull.right - hull.left);
  const counts = new Array<number>(width + 1).fill(0);
  for (const { segments } of rows) {
    for (const { left, right } of segments) {
      for (let at = Math.floor(left - hull.left); at < right - hull.left; at++) counts[at] = (counts[at] ?? 0) + 1;
    }
  }
  const low = rows.length * 0.3;
  const candidates: number[] = [];
  let start: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let at = Math.floor(width * 0.1); at <= width * 0.9; at++) {
    const count = counts[at] ?? 0;
    if (count > low) {
      start = undefined;
      least = Number.POSITIVE_INFINITY;
      continue;
    }
    // The middle of the lowest part of each valley.
    if (count < least) {
      least = count;
      start = at;
      candidates.push(hull.left + at);
    } else if (count === least && start !== undefined) candidates[candidates.length - 1] = hull.left + (start + at) / 2;
  }
  return candidates.slice(0, 40);
}

/** Returns runs of rows of which none has a segment across `x`. */
function runsBeside(rows: readonly Row[], x: number): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = [];
  let from = 0;
  for (let index = 0; index <= rows.length; index++) {
    const row = rows[index];
    if (row !== undefined && !row.segments.some(({ left, right }) => left < x && right > x)) continue;
    if (index > from) runs.push({ from, to: index });
    from = index + 1;
  }
  return runs.map((run) => trim(rows, run, x));
}

/** Returns the run without rows at its ends that are on one side only, if the other side has nothing beside them. */
function trim(
  rows: readonly Row[],
  { from, to }: { from: number; to: number },
  x: number,
): { from: number; to: number } {
  const inside = rows.slice(from, to);
  const left = hullOf(sideOf(inside, (right) => right <= x));
  const right = hullOf(sideOf(inside, (_, start) => start >= x));
  const shared: Pick<Box, 'top' | 'bottom'> = {
    top: Math.max(left.top, right.top),
    bottom: Math.max(left.bottom, right.bottom),
  };
  const first = inside.findIndex((row) => row.bottom > shared.top);
  return { from: first < 0 ? to : from + first, to };
}

/** Reports whether rows are lines of prose, in one column or several: most segments are long, and as wide as others. */
function isProse(rows: readonly Row[]): boolean {
  const segments = rows.flatMap((row) => row.segments);
  const widths = segments.map(({ left, right }) => right - left).sort((a, b) => a - b);
  const usual = widths[Math.floor(widths.length * 0.9)] ?? 0;
  const full = widths.filter((width) => width >= usual * prose.fill);
  const length = medianOf(segments.map(({ text }) => text.length));
  const numbers = segments.filter(({ text }) => /^[\d.,%$()\s–-]+$/.test(text));
  return full.length >= widths.length * 0.5 && length >= prose.length && numbers.length <= segments.length * 0.15;
}
