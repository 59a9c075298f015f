import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { defineAdapter } from '#kit/host/config/adapters.ts';
import { type Parser, type ParserDeps, UnreadableError } from '../../parse/parser.ts';

/** Largest image file, in bytes. */
const bytesMax = 64 << 20;
/** Points of the longer side of an image, which has no size on paper. */
const sidePoints = 842;

const createParser = ({ ocr: loadOcr }: ParserDeps): Parser => ({
  mediaTypes: ['image/png', 'image/jpeg', 'image/tiff', 'image/webp'],
  endings: ['.png', '.jpg', '.jpeg', '.tif', '.tiff', '.webp'],
  isList: false,
  isolation: 'process',
  async *parse(file, parts) {
    if (loadOcr === undefined) {
      const message = 'is an image, of which only OCR can read the text: configure indexer.ocr, or upload the text';
      throw new UnreadableError(message, ErrorReason.DOCUMENT_NEEDS_OCR);
    }
    const bytes: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const part of parts) {
      sizeBytes += part.byteLength;
      if (sizeBytes > bytesMax) {
        throw new UnreadableError(`an image may have ${bytesMax >> 20} MiB: make it smaller`, ErrorReason.TOO_LARGE);
      }
      bytes.push(part);
    }
    const [ocr, { ocrElements }, { partsOf, toDocument }] = await Promise.all([
      loadOcr(),
      import('./pdf/ocr/ocr-elements.ts'),
      import('./pdf/read-pdf.ts'),
    ]);
    const image = await ocr.decode(Buffer.concat(bytes));
    const scale = Math.max(image.width, image.height) / sidePoints;
    const elements = await ocrElements(ocr, image, scale, 1);
    const found = partsOf([{ number: 1, height: image.height / scale, elements }]);
    if (found.length === 0) throw new UnreadableError('is an image in which no text was found');
    yield { kind: 'document', document: toDocument(file, found, '') };
  },
});

/** Reads the text in an image by OCR, as one document. */
export const adapter = defineAdapter({ settings: {}, create: (_settings, deps: ParserDeps) => createParser(deps) });
