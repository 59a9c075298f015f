import type { Bitmap, OcrLine } from '../../../../parse/ocr.ts';
import type { Box } from '../layout/geometry.ts';
import { medianOf } from '../layout/geometry.ts';
import type { Word } from '../layout/words.ts';

// The engine returns lines, in which a wide gap between cells is a space. The gaps are found again in the pixels, so that the layout sees cells.

/** Height of letters in shares of the height of a line. */
const sizeShare = 0.78;
/** Lines whose height differs less from that of most lines have its size: heights of lines vary with their letters. */
const sizeTolerance = 0.3;
/** A gap between cells, in shares of the height of the line. */
const gapShare = 0.7;
/** How much darker than the ground a pixel of a letter is, of 255. */
const inkContrast = 60;

/** Returns the words of lines, with places in points: `scale` pixels are one. */
export function ocrWords(lines: readonly OcrLine[], image: Bitmap, scale: number): Word[] {
  const usual = medianOf(lines.map(({ top, bottom }) => bottom - top));
  return lines.flatMap((line) => {
    const height = line.bottom - line.top;
    const isUsual = Math.abs(height - usual) < usual * sizeTolerance;
    const size = ((isUsual ? usual : height) * sizeShare) / scale;
    const baseline = (line.bottom - height * 0.12) / scale;
    return cellsOf(line, image).map(({ text, left, right }): Word => {
      const box = { left: left / scale, right: right / scale, top: line.top / scale, bottom: line.bottom / scale };
      return { ...box, text, baseline, size, isBold: false, glyphs: [], space: 'written' };
    });
  });
}

interface Run {
  left: number;
  right: number;
}

/** Returns the parts of a line between wide gaps; the whole line if its words do not fit to them. */
function cellsOf(line: OcrLine, image: Bitmap): (Run & { text: string })[] {
  const runs = runsOf(line, image);
  const words = line.text.split(/\s+/);
  if (runs.length < 2 || words.length < runs.length) return [line];
  const whole = runs.reduce((sum, { left, right }) => sum + right - left, 0);
  const length = words.reduce((sum, word) => sum + widthOf(word), 0);
  // Words go to runs by their widths: the last word of a run is the one that fills it best.
  const cells: (Run & { text: string })[] = [];
  let next = 0;
  for (const [index, run] of runs.entries()) {
    const room = ((run.right - run.left) / whole) * length;
    const left = words.length - next;
    const reserved = runs.length - index - 1;
    let count = 1;
    const fill = (one: number) =>
      Math.abs(room - words.slice(next, next + one).reduce((sum, word) => sum + widthOf(word), 0));
    while (count < left - reserved && fill(count + 1) < fill(count)) count++;
    if (index === runs.length - 1) count = left;
    cells.push({ ...run, text: words.slice(next, next + count).join(' ') });
    next += count;
  }
  return cells;
}

function widthOf(word: string): number {
  return word.replace(/[^\p{sc=Latin}\p{ASCII}]/gu, 'xx').length;
}

/** Returns the parts of a line that have ink, without narrow gaps. */
function runsOf(line: OcrLine, { width, height, pixels }: Bitmap): Run[] {
  const box: Box = {
    left: Math.max(0, Math.floor(line.left)),
    right: Math.min(width, Math.ceil(line.right)),
    // Ruling lines above and below are no letters.
    top: Math.max(0, Math.floor(line.top + (line.bottom - line.top) * 0.2)),
    bottom: Math.min(height, Math.ceil(line.bottom - (line.bottom - line.top) * 0.2)),
  };
  const gap = (line.bottom - line.top) * gapShare;
  const ground = groundOf(box, pixels, width);
  const runs: Run[] = [];
  for (let x = box.left; x < box.right; x++) {
    if (!hasInk(x, box, pixels, width, ground)) continue;
    const last = runs.at(-1);
    if (last !== undefined && x - last.right < gap) last.right = x + 1;
    else runs.push({ left: x, right: x + 1 });
  }
  return runs.filter(({ left, right }) => right - left > 2);
}

function hasInk(x: number, { top, bottom }: Box, pixels: Uint8Array, width: number, ground: number): boolean {
  let count = 0;
  for (let y = top; y < bottom; y++) if (Math.abs(lightOf(pixels, (y * width + x) * 4) - ground) > inkContrast) count++;
  // A column of pixels that is nearly all ink is the side of a cell.
  return count > 0 && count < (bottom - top) * 0.85;
}

/** Returns the light of most pixels. */
function groundOf({ left, right, top, bottom }: Box, pixels: Uint8Array, width: number): number {
  const counts = new Uint32Array(16);
  for (let y = top; y < bottom; y += 2) {
    for (let x = left; x < right; x += 3) {
      const light = lightOf(pixels, (y * width + x) * 4) >> 4;
      counts[light] = (counts[light] as number) + 1;
    }
  }
  return counts.indexOf(Math.max(...counts)) * 16 + 8;
}

function lightOf(pixels: Uint8Array, at: number): number {
  return ((pixels[at] ?? 255) + (pixels[at + 1] ?? 255) + (pixels[at + 2] ?? 255)) / 3;
}
