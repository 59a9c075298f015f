import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTextBuffer } from './row-table.ts';
import { createStringTableBuilder, findString, stringAt, stringCount } from './strings.ts';

test('each text has one number, by which and for which it is found, whatever its letters are', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 20 })), fc.string(), (texts, other) => {
      const builder = createStringTableBuilder();
      const textOf = createTextBuffer();
      const numbers = texts.map((text) => builder.numberOf(...textOf(text)));
      const table = builder.share();
      expect(stringCount(table)).toBe(new Set(texts).size);
      for (const [index, text] of texts.entries()) {
        expect(findString(table, text)).toBe(numbers[index]);
        expect(stringAt(table, numbers[index] as number)).toBe(text);
      }
      if (!texts.includes(other)) expect(findString(table, other)).toBe(-1);
    }),
  );
});
