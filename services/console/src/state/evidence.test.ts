import { describe, expect, test } from 'vitest';
import { documents, passageOf } from '../../testing/documents.ts';
import { locatePassage } from './evidence.ts';

const text = documents[0]?.text ?? '';
const passage = passageOf('returns', 'Our warehouse', 'credit cards 5–10.', []);

describe('a passage in its document', () => {
  test('is at its offsets', () => {
    const place = locatePassage(text, passage);
    expect(text.slice(place?.start, place?.end)).toBe(passage.text);
  });

  test('is at its offsets if only blanks and marks were cleaned', () => {
    const cleaned = { ...passage, text: passage.text.replaceAll(' ', '  ').replaceAll('.', '') };
    expect(locatePassage(text, cleaned)).toEqual({ start: passage.startOffset, end: passage.endOffset });
  });

  test('is found by its text if the text has moved', () => {
    const moved = `A new beginning.\n\n${text}`;
    const place = locatePassage(moved, passage);
    expect(moved.slice(place?.start, place?.end)).toBe(passage.text);
  });

  test('is nowhere once the document says something else', () => {
    expect(locatePassage('We sell lamps. '.repeat(200), passage)).toBeUndefined();
    expect(locatePassage('', passage)).toBeUndefined();
    expect(locatePassage('short', { text: '', startOffset: 3, endOffset: 2 })).toBeUndefined();
  });

  test('is found among Chinese text by the same offsets', () => {
    const zh = documents[1]?.text ?? '';
    const place = locatePassage(zh, passageOf('returns-zh', '商品有质量问题', '免运费退货。', []));
    expect(zh.slice(place?.start, place?.end)).toMatch(/^商品有质量问题.*免运费退货。$/);
  });
});
