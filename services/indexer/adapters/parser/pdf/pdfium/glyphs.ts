import type { Glyph, PlacedGlyph } from '../layout/geometry.ts';
import type { Pdfium } from './library.ts';
import type { Placement } from './placement.ts';

/** Most characters of a page. */
const glyphsMax = 200_000;

/** What all characters of a text object share. */
interface Style extends Pick<PlacedGlyph, 'size' | 'isBold' | 'contentId' | 'turns'> {
  isHidden: boolean;
}

/** Size of a font, in points, below which its characters are no text for a reader. */
const sizeMin = 1;

/** Characters of a page, and how many of it are left out because a reader cannot see them. */
export interface Glyphs {
  glyphs: PlacedGlyph[];
  hiddenCount: number;
}

/** Reads the characters of a page in the order of the file; `hidden`: text objects that a reader cannot see. */
export function readGlyphs(pdfium: Pdfium, page: number, placement: Placement, hidden: ReadonlySet<number>): Glyphs {
  const { call } = pdfium;
  const text = call.FPDFText_LoadPage(page);
  if (text === 0) return { glyphs: [], hiddenCount: 0 };
  const styles = new Map<number, Style>();
  const styleOf = (index: number): Style => {
    const object = call.FPDFText_GetTextObject(text, index);
    let style = styles.get(object);
    if (style === undefined) {
      const read = readStyle(pdfium, text, index, object, placement);
      style = { ...read, isHidden: hidden.has(object) || (read.size > 0 && read.size < sizeMin) };
      styles.set(object, style);
    }
    return style;
  };
  const place = (index: number) => {
    const box = pdfium.floats(4, (at) => call.FPDFText_GetLooseCharBox(text, index, at as number));
    const [left = 0, top = 0, right = 0, bottom = 0] = box ?? [];
    const origin = pdfium.doubles(2, (...at) => call.FPDFText_GetCharOrigin(text, index, ...at));
    if (origin === undefined || right - left > 1e5) return undefined;
    const [originX = 0, originY = 0] = origin;
    return {
      corners: [placement.place(left, bottom), placement.place(right, top)],
      origin: placement.place(originX, originY),
    } as const;
  };
  const all: PlacedGlyph[] = [];
  let hiddenCount = 0;
  let follows: Glyph['follows'] = 'line';
  let high = '';
  try {
    const count = Math.min(call.FPDFText_CountChars(text), glyphsMax);
    for (let index = 0; index < count; index++) {
      const code = call.FPDFText_GetUnicode(text, index);
      const isGenerated = call.FPDFText_IsGenerated(text, index) === 1;
      if (isGenerated || isSpace(code)) {
        if (code === 10 || code === 13) follows = 'line';
        else if (!isGenerated) follows = 'space';
        else if (follows === 'glyph') follows = 'gap';
        continue;
      }
      let character = toText(code, call.FPDFText_HasUnicodeMapError(text, index) === 1);
      // A character beyond 16 bits comes in two halves, both at its place.
      if (/[\uD800-\uDBFF]/.test(character) && character.length === 1) {
        high = character;
        continue;
      }
      character = high + character;
      high = '';
      const { size, isBold, contentId, turns, isHidden } = styleOf(index);
      const glyph = isHidden ? undefined : place(index);
      if (isHidden) hiddenCount++;
      else if (glyph !== undefined) {
        all.push({ ...glyph, text: character.toWellFormed(), follows, size, isBold, contentId, turns });
      }
      follows = 'glyph';
    }
  } finally {
    call.FPDFText_ClosePage(text);
  }
  return { glyphs: all, hiddenCount };
}

function readStyle(
  pdfium: Pdfium,
  text: number,
  index: number,
  object: number,
  { quarterTurns }: Placement,
): Omit<Style, 'isHidden'> {
  const { call } = pdfium;
  const at = pdfium.allocate(24);
  const isKnown = call.FPDFText_GetMatrix(text, index, at) !== 0;
  const [a = 1, b = 0, c = 0, d = 1] = isKnown ? new Float32Array(pdfium.bytes().buffer, at, 6) : [];
  pdfium.free(at);
  return {
    size: call.FPDFText_GetFontSize(text, index) * Math.hypot(c, d),
    isBold:
      call.FPDFText_GetFontWeight(text, index) >= 600 ||
      /bold|black|heavy|semibold/i.test(fontName(pdfium, text, index)),
    // The matrix turns against the clock.
    turns: (((Math.round(Math.atan2(-b, a) / (Math.PI / 2)) + quarterTurns) % 4) + 4) % 4,
    contentId: object === 0 ? -1 : call.FPDFPageObj_GetMarkedContentID(object),
  };
}

function fontName(pdfium: Pdfium, text: number, index: number): string {
  const sizeBytes = 128;
  const buffer = pdfium.allocate(sizeBytes + 4);
  const length = pdfium.call.FPDFText_GetFontInfo(text, index, buffer, sizeBytes, buffer + sizeBytes);
  const name = Buffer.from(
    pdfium.bytes().slice(buffer, buffer + Math.max(0, Math.min(length, sizeBytes) - 1)),
  ).toString();
  pdfium.free(buffer);
  return name;
}

function isSpace(code: number): boolean {
  return (
    code === 32 || code === 0xa0 || code === 0x3000 || (code >= 9 && code <= 13) || (code >= 0x2000 && code <= 0x200b)
  );
}

function toText(code: number, isUnknown: boolean): string {
  // PDFium writes a hyphen at the end of a line as one of these.
  if (code === 2 || code === 0xfffe || code === 0xad) return '-';
  if (code === 0 || (isUnknown && code < 32)) return '\uFFFD';
  return String.fromCodePoint(code > 0x10ffff ? 0xfffd : code);
}
