import { crc32, deflateSync } from 'node:zlib';
import type { Bitmap } from '../../../parse/ocr.ts';
import type { PageImage, PageWish } from '../../../parse/page-image.ts';
import { openDocument } from './pdfium/document.ts';
import type { Pdfium } from './pdfium/library.ts';
import { renderPage } from './pdfium/render.ts';

/** Longest side of an image, in pixels: 48 MB of memory at most for a square one. */
const sideMax = 3500;
/** An image that has more bytes is made again with half of the pixels, so often. */
const halvings = 4;

/** Returns a page of a PDF as an image; `undefined` instead of the image if it has no such page. Throws UnreadableError. */
export function imageOf(
  pdfium: Pdfium,
  bytes: Uint8Array,
  { page, widthPixels, bytesMax }: PageWish,
): { image: PageImage | undefined; pageCount: number } {
  const document = openDocument(pdfium, bytes);
  try {
    const { pageCount, pointer } = document;
    if (page > pageCount) return { image: undefined, pageCount };
    let wanted = widthPixels;
    for (let left = halvings; ; left--) {
      const { bitmap, size } = renderPage(pdfium, pointer, page, ({ width, height }) =>
        Math.min(wanted / width, sideMax / Math.max(width, height)),
      );
      const png = toPng(bitmap);
      if (png.byteLength <= bytesMax || left === 0) {
        const { width, height } = bitmap;
        return { image: { png, width, height, pageWidth: size.width, pageHeight: size.height }, pageCount };
      }
      wanted = Math.max(1, Math.floor(bitmap.width / 2));
    }
  } finally {
    document.close();
  }
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const bitsPerChannel = 8;
const trueColour = 2;

/** Returns an image without transparency as a PNG (ISO/IEC 15948): rows of red, green and blue without a filter, deflated. */
function toPng({ width, height, pixels }: Bitmap): Uint8Array {
  const rowBytes = 1 + width * 3;
  const rows = Buffer.alloc(rowBytes * height);
  for (let y = 0; y < height; y++) {
    let to = y * rowBytes + 1;
    for (let from = y * width * 4; from < (y + 1) * width * 4; from += 4) {
      rows[to++] = pixels[from] as number;
      rows[to++] = pixels[from + 1] as number;
      rows[to++] = pixels[from + 2] as number;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([bitsPerChannel, trueColour], 8);
  return Buffer.concat([signature, part('IHDR', head), part('IDAT', deflateSync(rows)), part('IEND', Buffer.alloc(0))]);
}

function part(name: string, content: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const bytes = Buffer.alloc(named.byteLength + 8);
  bytes.writeUInt32BE(content.byteLength, 0);
  bytes.set(named, 4);
  bytes.writeUInt32BE(crc32(named), named.byteLength + 4);
  return bytes;
}
