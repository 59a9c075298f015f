import type { Box, Glyph, PlacedGlyph, Point } from './geometry.ts';

// Layout reads lines from left to right, one below the other. Text that runs otherwise (turned by quarters, or down the page as in Japanese) is
// turned so that it runs that way, and its boxes are turned back at the end.

/** Text of one direction, turned so that it runs from left to right, in lines from top to bottom. */
export interface Writing {
  /** In the order of the file. */
  glyphs: Glyph[];
  /** Whether it runs as the page is displayed, without a turn. */
  isUpright: boolean;
  /** Returns a box as the page is displayed. */
  toPage(box: Box): Box;
}

/** Share of pairs of characters that run down, above which the writing does. */
const downShare = 0.5;

interface Turn {
  to(point: Point): Point;
  back(point: Point): Point;
}

/** Returns the text of a page, each direction apart; that of most characters first. */
export function writingsOf(placed: readonly PlacedGlyph[], page: { width: number; height: number }): Writing[] {
  const { width, height } = page;
  const quarters: readonly Turn[] = [
    { to: (point) => point, back: (point) => point },
    { to: ([x, y]) => [y, width - x], back: ([x, y]) => [width - y, x] },
    { to: ([x, y]) => [width - x, height - y], back: ([x, y]) => [width - x, height - y] },
    { to: ([x, y]) => [height - y, x], back: ([x, y]) => [y, height - x] },
  ];
  const byTurns = Map.groupBy(placed, ({ turns }) => turns);
  return [...byTurns.entries()]
    .sort(([, one], [, other]) => other.length - one.length)
    .map(([turns, glyphs]) => {
      // Lines that run down, from right to left, are read as a page that is turned by a quarter.
      const isDown = turns === 0 && runsDown(glyphs);
      const turn = quarters[isDown ? 1 : turns] as Turn;
      return {
        glyphs: glyphs.map((glyph) => turned(glyph, turn, isDown)),
        isUpright: turns === 0 && !isDown,
        toPage: (box) => boxOf(turn.back([box.left, box.top]), turn.back([box.right, box.bottom])),
      };
    });
}

function turned({ corners, origin, turns: _, ...glyph }: PlacedGlyph, { to }: Turn, isDown: boolean): Glyph {
  const [one, other] = corners;
  const box = boxOf(to(one), to(other));
  if (isDown) return { ...glyph, ...box, baseline: box.bottom };
  const [, baseline] = to(origin);
  // What a line is high follows from the size of its font: the boxes of fonts differ.
  return {
    ...glyph,
    left: box.left,
    right: box.right,
    top: baseline - glyph.size * 0.8,
    bottom: baseline + glyph.size * 0.2,
    baseline,
  };
}

function boxOf([x0, y0]: Point, [x1, y1]: Point): Box {
  return { left: Math.min(x0, x1), right: Math.max(x0, x1), top: Math.min(y0, y1), bottom: Math.max(y0, y1) };
}

/** Reports whether most characters are below the one before them, and not beside it. */
function runsDown(glyphs: readonly PlacedGlyph[]): boolean {
  let down = 0;
  let along = 0;
  for (let index = 1; index < glyphs.length; index++) {
    const {
      origin: [x0, y0],
      size,
    } = glyphs[index - 1] as PlacedGlyph;
    const [x1, y1] = (glyphs[index] as PlacedGlyph).origin;
    const isBelow = Math.abs(x1 - x0) < size * 0.3 && y1 - y0 > size * 0.5 && y1 - y0 < size * 2;
    if (isBelow) down++;
    else if (Math.abs(y1 - y0) < size * 0.3) along++;
  }
  return down > 1 && down > (down + along) * downShare;
}
