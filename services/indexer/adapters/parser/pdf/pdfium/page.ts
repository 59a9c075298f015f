import { UnreadableError } from '../../../../parse/parser.ts';
import type { Rule } from '../layout/geometry.ts';
import { type Writing, writingsOf } from '../layout/writing.ts';
import { readGlyphs } from './glyphs.ts';
import { findHiddenTexts } from './hidden.ts';
import type { Pdfium } from './library.ts';
import { type Marks, readMarks } from './marks.ts';
import { placementOf } from './placement.ts';
import { readTags, type Tag } from './tags.ts';

/** What a page shows. */
export interface PageContent extends Omit<Marks, 'rules'> {
  /** From 1. */
  number: number;
  width: number;
  height: number;
  /** Its text, each direction of writing apart; most of it first. */
  writings: Writing[];
  /** Characters that a reader of the page cannot see; they are in no writing. */
  hiddenCount: number;
  rules: Rule[];
  /** Its structure elements; empty if it has none. */
  tags: Tag[];
}

/** Calls `use` with an open page. Throws UnreadableError if the page cannot be loaded. */
export function withPage<T>(pdfium: Pdfium, document: number, number: number, use: (page: number) => T): T {
  const page = pdfium.call.FPDF_LoadPage(document, number - 1);
  if (page === 0) throw new UnreadableError(`page ${number} is damaged: save or print the PDF again`);
  try {
    return use(page);
  } finally {
    pdfium.call.FPDF_ClosePage(page);
  }
}

/** Reads a page, counted from 1. */
export function readPage(pdfium: Pdfium, document: number, number: number, isTagged: boolean): PageContent {
  return withPage(pdfium, document, number, (page) => {
    const placement = placementOf(pdfium, page);
    const { width, height } = placement;
    const hidden = findHiddenTexts(pdfium, page, placement);
    const { glyphs, hiddenCount } = readGlyphs(pdfium, page, placement, hidden);
    const writings = writingsOf(glyphs, placement);
    const tags = isTagged ? readTags(pdfium, page) : [];
    const marks = readMarks(pdfium, page, placement);
    const textCount = marks.textCount - hidden.size;
    return { number, width, height, writings, hiddenCount, tags, ...marks, textCount };
  });
}
