import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Parser, type ParserDeps, UnreadableError } from '../../../parse/parser.ts';
import type { Pdfium } from './pdfium/library.ts';

/** Largest PDF, in bytes: it is held whole, and PDFium holds a copy. */
const bytesMax = 256 << 20;

let loading: Promise<Pdfium> | undefined;

const createParser = ({ ocr }: ParserDeps): Parser => ({
  mediaTypes: ['application/pdf', 'application/x-pdf'],
  endings: ['.pdf'],
  isList: false,
  isolation: 'process',
  async *parse(file, parts) {
    const bytes = await collect(parts);
    const { readPdf } = await import('./read-pdf.ts');
    const pdfium = await library();
    try {
      yield* readPdf(pdfium, file, bytes, await ocr?.());
    } catch (error) {
      forgetAfter(error);
      throw error;
    }
  },
  async renderPage(parts, wish) {
    const bytes = await collect(parts);
    const { imageOf } = await import('./page-image.ts');
    const pdfium = await library();
    try {
      return imageOf(pdfium, bytes, wish);
    } catch (error) {
      forgetAfter(error);
      throw error;
    }
  },
});

async function library(): Promise<Pdfium> {
  const { loadPdfium } = await import('./pdfium/library.ts');
  loading ??= loadPdfium();
  return loading;
}

// After a fault in its code, the memory of PDFium cannot be trusted.
function forgetAfter(error: unknown): void {
  if (!(error instanceof UnreadableError)) loading = undefined;
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of parts) {
    sizeBytes += part.byteLength;
    if (sizeBytes > bytesMax) {
      throw new UnreadableError(`a PDF may have ${bytesMax >> 20} MiB: split it`, ErrorReason.TOO_LARGE);
    }
    all.push(part);
  }
  return Buffer.concat(all);
}

/** Reads a PDF as one document: text in reading order with headings, lists, tables and the places of each. */
export const adapter = defineAdapter({ settings: {}, create: (_settings, deps: ParserDeps) => createParser(deps) });
