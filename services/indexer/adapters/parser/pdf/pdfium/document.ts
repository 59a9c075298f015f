import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { UnreadableError } from '../../../../parse/parser.ts';
import type { Pdfium } from './library.ts';

/** An open document. */
export interface PdfDocument {
  pointer: number;
  pageCount: number;
  /** Title from its properties; empty if it has none. */
  title: string;
  /** Whether it says that it has structure elements. */
  isTagged: boolean;
  close(): void;
}

/** Most pages of a document. */
const pagesMax = 5000;
const passwordError = 4;
const securityError = 5;

/** Opens a document. Throws UnreadableError if it is encrypted, damaged or has too many pages. */
export function openDocument(pdfium: Pdfium, bytes: Uint8Array, password = ''): PdfDocument {
  const { call } = pdfium;
  const data = pdfium.store(bytes);
  const secret = pdfium.store(Buffer.from(`${password}\0`));
  const pointer = call.FPDF_LoadMemDocument(data, bytes.byteLength, secret);
  const error = call.FPDF_GetLastError();
  pdfium.bytes().fill(0, secret, secret + Buffer.byteLength(password));
  pdfium.free(secret);
  const close = () => {
    if (pointer !== 0) call.FPDF_CloseDocument(pointer);
    pdfium.free(data);
  };
  try {
    if (pointer === 0) throw toUnreadable(error, password);
    const pageCount = call.FPDF_GetPageCount(pointer);
    if (pageCount < 1) throw new UnreadableError('is a damaged PDF without pages: save it again');
    if (pageCount > pagesMax) {
      throw new UnreadableError(`has ${pageCount} pages, and may have ${pagesMax}: split it`, ErrorReason.TOO_LARGE);
    }
    return {
      pointer,
      pageCount,
      title: titleOf(pdfium, pointer),
      isTagged: call.FPDFCatalog_IsTagged(pointer) === 1,
      close,
    };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

function toUnreadable(error: number, password: string): UnreadableError {
  if (error === passwordError) {
    const message =
      password === ''
        ? 'is encrypted: give its password with the upload, or save it without one'
        : 'is encrypted with another password than the one that the upload gives';
    return new UnreadableError(message, ErrorReason.DOCUMENT_ENCRYPTED);
  }
  if (error === securityError) {
    const message = 'is encrypted in a way that cannot be read: save it without a password';
    return new UnreadableError(message, ErrorReason.DOCUMENT_ENCRYPTED);
  }
  return new UnreadableError('is no PDF, or a damaged one: open it in a PDF reader, and save or print it again');
}

function titleOf(pdfium: Pdfium, document: number): string {
  const tag = pdfium.store(Buffer.from('Title\0'));
  try {
    return pdfium.text((buffer, sizeBytes) => pdfium.call.FPDF_GetMetaText(document, tag, buffer, sizeBytes)).trim();
  } finally {
    pdfium.free(tag);
  }
}
