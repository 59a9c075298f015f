import type { Bitmap, Ocr } from '../../../../parse/ocr.ts';
import { type Element, elementsOfWords } from '../layout/elements.ts';
import { ocrWords } from './ocr-words.ts';

/** Returns what an image shows, in reading order; `scale` of its pixels are a point of page `number`. */
export async function ocrElements(ocr: Ocr, image: Bitmap, scale: number, number: number): Promise<Element[]> {
  const lines = await ocr.read(image);
  return elementsOfWords(ocrWords(lines, image, scale), { number, rules: [] });
}
