/** An image in memory: rows of pixels from top to bottom, each red, green, blue and alpha. */
export interface Bitmap {
  width: number;
  height: number;
  /** `4 × width × height` bytes. */
  pixels: Uint8Array;
}

/** A line of text in an image, with its place in pixels. */
export interface OcrLine {
  text: string;
  /** How sure the engine is, 0 to 1. */
  confidence: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Reads text in images. It runs in the process of a parser, one image at a time. */
export interface Ocr {
  /** Returns an image file as pixels, as it is displayed. Throws UnreadableError if it is damaged or too large. */
  decode(bytes: Uint8Array): Promise<Bitmap>;
  /** Returns the lines of text in an image, in any order. */
  read(image: Bitmap): Promise<OcrLine[]>;
}

/** Size of an image at which small print can be read, and which bounds time and memory: its longer side, in pixels. */
export const ocrSideMax = 1600;
