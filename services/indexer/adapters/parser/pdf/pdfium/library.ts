import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { PDFiumModule } from '@hyzyla/pdfium';

// PDFium in WebAssembly. The package wraps a few of its functions; layout needs many more, which its module exports under their C names
// (public headers `fpdfview.h`, `fpdf_text.h`, `fpdf_edit.h`, `fpdf_structtree.h`). A pointer is a number, and 0 is none.

type Call = (...values: number[]) => number;

/** The functions that are used, by their C names. */
const names = [
  ...['FPDF_LoadMemDocument', 'FPDF_GetLastError', 'FPDF_CloseDocument', 'FPDF_GetPageCount', 'FPDF_GetMetaText'],
  ...['FPDF_LoadPage', 'FPDF_ClosePage', 'FPDF_GetPageBoundingBox', 'FPDFPage_GetRotation', 'FPDFCatalog_IsTagged'],
  ...['FPDFText_LoadPage', 'FPDFText_ClosePage', 'FPDFText_CountChars', 'FPDFText_GetUnicode', 'FPDFText_IsGenerated'],
  ...['FPDFText_IsHyphen', 'FPDFText_GetCharBox', 'FPDFText_GetLooseCharBox', 'FPDFText_GetCharOrigin'],
  ...['FPDFText_GetTextObject', 'FPDFText_GetFontSize', 'FPDFText_GetFontWeight', 'FPDFText_GetMatrix'],
  ...['FPDFText_HasUnicodeMapError', 'FPDFText_GetCharAngle', 'FPDFText_GetFontInfo'],
  ...['FPDFPage_CountObjects', 'FPDFPage_GetObject', 'FPDFPageObj_GetType', 'FPDFPageObj_GetBounds'],
  ...['FPDFPageObj_GetMarkedContentID', 'FPDFPageObj_GetMatrix', 'FPDFTextObj_GetTextRenderMode'],
  ...['FPDFPageObj_GetFillColor', 'FPDFPageObj_HasTransparency', 'FPDFPageObj_CountMarks', 'FPDFPageObj_GetMark'],
  ...[
    'FPDFPageObjMark_GetName',
    'FPDFPageObj_GetClipPath',
    'FPDFClipPath_CountPaths',
    'FPDFClipPath_CountPathSegments',
  ],
  ...['FPDFClipPath_GetPathSegment'],
  ...['FPDFFormObj_CountObjects', 'FPDFFormObj_GetObject', 'FPDFPath_CountSegments', 'FPDFPath_GetPathSegment'],
  ...['FPDFPath_GetDrawMode', 'FPDFPathSegment_GetPoint', 'FPDFPathSegment_GetType', 'FPDFPathSegment_GetClose'],
  ...['FPDF_StructTree_GetForPage', 'FPDF_StructTree_Close', 'FPDF_StructTree_CountChildren'],
  ...['FPDF_StructTree_GetChildAtIndex', 'FPDF_StructElement_GetType', 'FPDF_StructElement_CountChildren'],
  ...['FPDF_StructElement_GetChildAtIndex', 'FPDF_StructElement_GetChildMarkedContentID'],
  ...['FPDF_StructElement_GetMarkedContentIdCount', 'FPDF_StructElement_GetMarkedContentIdAtIndex'],
  ...['FPDF_StructElement_GetAttributeCount', 'FPDF_StructElement_GetAttributeAtIndex'],
  ...['FPDF_StructElement_Attr_GetValue', 'FPDF_StructElement_Attr_GetNumberValue'],
  ...[
    'FPDFBitmap_CreateEx',
    'FPDFBitmap_FillRect',
    'FPDF_RenderPageBitmap',
    'FPDFBitmap_GetBuffer',
    'FPDFBitmap_Destroy',
  ],
] as const;

/** A function of PDFium, by its C name. */
export type FunctionName = (typeof names)[number];

/** PDFium with its memory. Not reentrant: one document at a time. */
export interface Pdfium {
  call: Readonly<Record<FunctionName, Call>>;
  /** Copies bytes into its memory; returns their address. */
  store(bytes: Uint8Array): number;
  allocate(sizeBytes: number): number;
  free(pointer: number): void;
  /** Its memory. Read it again after each call that may allocate. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Calls `fill` with a place for `count` doubles and returns them; `undefined` if it returns 0. Valid until the next call. */
  doubles(count: number, fill: (...pointers: number[]) => number): Float64Array | undefined;
  /** The same with floats. */
  floats(count: number, fill: (...pointers: number[]) => number): Float32Array | undefined;
  /** Returns the UTF-16 text that a function writes into a buffer; it returns the size in bytes with the final zero. */
  text(fill: (buffer: number, sizeBytes: number) => number): string;
}

const scratchBytes = 512;

/** Loads PDFium: 4 MB of code, 40 ms. */
export async function loadPdfium(): Promise<Pdfium> {
  const { PDFiumModule } = await import('@hyzyla/pdfium');
  const wasm = await readFile(fileURLToPath(import.meta.resolve('@hyzyla/pdfium/pdfium.wasm')));
  const wasmBinary = wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength);
  return wrap(await PDFiumModule({ wasmBinary }));
}

/** What the module has beside the functions. */
interface Exports {
  HEAPU8: Uint8Array<ArrayBuffer>;
  _malloc: Call;
  _free: Call;
  _FPDF_InitLibrary: () => void;
}

function wrap(module: Awaited<ReturnType<typeof PDFiumModule>>): Pdfium {
  // The package types a few of the functions.
  const all = module as unknown as Exports & Record<string, Call>;
  all._FPDF_InitLibrary();
  const call = Object.fromEntries(names.map((name) => [name, all[`_${name}`]])) as Record<FunctionName, Call>;
  const scratch = all._malloc(scratchBytes);
  const pointersTo = (count: number, sizeBytes: number) =>
    Array.from({ length: count }, (_, index) => scratch + index * sizeBytes);
  const doublePointers = [0, 1, 2, 3, 4, 5, 6].map((count) => pointersTo(count, 8));
  const floatPointers = [0, 1, 2, 3, 4, 5, 6].map((count) => pointersTo(count, 4));
  return {
    call,
    store(bytes) {
      const pointer = all._malloc(bytes.byteLength);
      all.HEAPU8.set(bytes, pointer);
      return pointer;
    },
    allocate: (sizeBytes) => all._malloc(sizeBytes),
    free: (pointer) => void all._free(pointer),
    bytes: () => all.HEAPU8,
    doubles(count, fill) {
      if (fill(...(doublePointers[count] as number[])) === 0) return undefined;
      return new Float64Array(all.HEAPU8.buffer, scratch, count);
    },
    floats(count, fill) {
      if (fill(...(floatPointers[count] as number[])) === 0) return undefined;
      return new Float32Array(all.HEAPU8.buffer, scratch, count);
    },
    text(fill) {
      const sizeBytes = Math.min(fill(scratch, scratchBytes), scratchBytes);
      if (sizeBytes < 2) return '';
      return Buffer.from(all.HEAPU8.slice(scratch, scratch + sizeBytes - 2)).toString('utf16le');
    },
  };
}
