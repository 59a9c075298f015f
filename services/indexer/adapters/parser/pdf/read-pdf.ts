import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { cleanLine, clip } from '../../../parse/clean.ts';
import { stemOf } from '../../../parse/file-name.ts';
import type { Ocr } from '../../../parse/ocr.ts';
import {
  failed,
  noted,
  type Parsed,
  type ParsedDocument,
  type SourceFile,
  UnreadableError,
} from '../../../parse/parser.ts';
import { findHeadings } from './document/headings.ts';
import { type JoinedTable, joinTables } from './document/join-tables.ts';
import { joinParagraphs, type Piece } from './document/paragraphs.ts';
import { renderDocument } from './document/render.ts';
import { type LaidOutPage, removeRunningHeads } from './document/running-heads.ts';
import { type Element, elementsOf } from './layout/elements.ts';
import { taggedElements } from './layout/tagged.ts';
import { ocrElements } from './ocr/ocr-elements.ts';
import { openDocument } from './pdfium/document.ts';
import type { Pdfium } from './pdfium/library.ts';
import { type PageContent, readPage } from './pdfium/page.ts';
import { renderPage } from './pdfium/render.ts';

/** A document as laid out: its pages, and those that show marks without text. */
export interface LaidOut {
  title: string;
  pages: LaidOutPage[];
  unreadPages: number[];
  /** Characters that were left out because a reader cannot see them. */
  hiddenCount: number;
}

const titleLengthMax = 200;
/** What a page without characters shows if it is not blank: images over this share of it, or so many drawings or pieces of text. */
const marks = { imageShare: 0.02, drawings: 20, texts: 3 };
/** Share of characters that have no meaning, above which the text of a page is none. */
const unknownShare = 0.5;
const progressEveryPages = 5;

/** Yields the document in a PDF, and a failure for the pages that need OCR. Throws UnreadableError if nothing can be read. */
export async function* readPdf(pdfium: Pdfium, file: SourceFile, bytes: Uint8Array, ocr?: Ocr): AsyncIterable<Parsed> {
  const laidOut: LaidOut = { title: '', pages: [], unreadPages: [], hiddenCount: 0 };
  for await (const pageNumber of layOut(pdfium, bytes, file.password, laidOut, ocr)) {
    if (ocr !== undefined || pageNumber % progressEveryPages === 0) yield { kind: 'progress' };
  }
  const { pages, unreadPages, hiddenCount } = laidOut;
  if (hiddenCount > 0)
    yield noted(NoteKind.HIDDEN_SKIPPED, hiddenCount, 'text that no reader of the pages sees was left out');
  const parts = partsOf(pages);
  if (parts.length === 0)
    throw unreadPages.length > 0 ? needsOcr(unreadPages) : new UnreadableError('has no text on its pages');
  yield { kind: 'document', document: toDocument(file, parts, laidOut.title) };
  if (unreadPages.length > 0) yield failed(0, needsOcr(unreadPages), file.path);
}

/** Lays out the pages one after another, into `into`; yields the number of each. Pages without text are read by `ocr`, if there is one. */
export async function* layOut(
  pdfium: Pdfium,
  bytes: Uint8Array,
  password: string | undefined,
  into: LaidOut,
  ocr?: Ocr,
): AsyncIterable<number> {
  const document = openDocument(pdfium, bytes, password);
  try {
    into.title = document.title;
    for (let number = 1; number <= document.pageCount; number++) {
      const page = readPage(pdfium, document.pointer, number, document.isTagged);
      into.hiddenCount += page.hiddenCount;
      let elements: readonly Element[] = [];
      if (!isUnread(page)) elements = taggedElements(page) ?? elementsOf(page);
      else if (ocr !== undefined) {
        const { bitmap, scale } = renderPage(pdfium, document.pointer, number);
        elements = await ocrElements(ocr, bitmap, scale, number);
      } else into.unreadPages.push(number);
      into.pages.push({ number, height: page.height, elements });
      yield number;
    }
  } finally {
    document.close();
  }
}

/** Returns the document of a file; `said`: the title in its properties. */
export function toDocument(file: SourceFile, parts: readonly (Piece | JoinedTable)[], said: string): ParsedDocument {
  const { text, blocks } = renderDocument(parts);
  return {
    documentId: file.path,
    ...{ isPlaced: false, line: 0, url: '', language: '', groups: undefined, attributes: {}, updatedAtMs: undefined },
    title: titleOf(parts, said) || stemOf(file.path),
    text,
    blocks,
  };
}

/** Returns what the document on the pages is made of. */
export function partsOf(pages: readonly LaidOutPage[]): (Piece | JoinedTable)[] {
  const elements = removeRunningHeads(pages).flatMap((page) => page.elements);
  const parts = joinParagraphs(elements);
  findHeadings(parts);
  return joinTables(parts);
}

/** Reports whether the page shows something and has no text for it: a scan, letters as outlines, or a font without characters. */
function isUnread({ writings, imageShare, drawingCount, textCount }: PageContent): boolean {
  const glyphs = writings.flatMap((writing) => writing.glyphs);
  if (glyphs.length === 0) {
    return imageShare >= marks.imageShare || drawingCount >= marks.drawings || textCount >= marks.texts;
  }
  const unknown = glyphs.filter(({ text }) => /[\uFFFD\uE000-\uF8FF]/.test(text)).length;
  if (unknown > glyphs.length * unknownShare) return true;
  // A stamp or a page number on a scan.
  return glyphs.length < 20 && imageShare >= 0.5;
}

function needsOcr(pages: readonly number[]): UnreadableError {
  const named = pages.length === 1 ? `page ${pages[0]} shows` : `pages ${clip(pages.join(', '), 100)} show`;
  const message = `${named} marks without text, as a scan does: configure indexer.ocr, or upload a PDF with text`;
  return new UnreadableError(message, ErrorReason.DOCUMENT_NEEDS_OCR);
}

/** Returns the title: the first heading of the outermost level on the first page, else that of the properties, else the first words. */
function titleOf(parts: readonly (Piece | JoinedTable)[], said: string): string {
  const pieces = parts.filter((part) => part.kind === 'piece');
  const firstPage = pieces[0]?.places[0]?.page;
  const headings = pieces.filter(({ role, places }) => role === 'heading' && places[0]?.page === firstPage);
  const level = Math.min(...headings.map((heading) => heading.level));
  const heading = headings.find((one) => one.level === level && one.level <= 2)?.text;
  // Programs put the name of a file there.
  const isName = said === '' || /^(?:untitled|microsoft \w+ - |.*\.\w{2,5}$)/i.test(said);
  return clip(cleanLine(heading ?? (isName ? (pieces[0]?.text ?? '') : said)), titleLengthMax);
}
