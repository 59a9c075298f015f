import fc from 'fast-check';
import { Converter } from 'opencc-js/t2cn';
import { expect, test } from 'vitest';
import { foldTraditional } from './han-variants.ts';
import { tokenize } from './tokenize.ts';

const openCc = Converter({ from: 't', to: 'cn' });

test('each traditional character becomes the simplified one that OpenCC gives', () => {
  for (const character of '退貨運費說明無線耳機電池龍體醫藥錢數據庫實例網絡鏈接') {
    expect(foldTraditional(character)).toBe(openCc(character));
  }
});

test('a text keeps its length, and folding it again changes nothing', () => {
  const han = fc.string({ unit: fc.integer({ min: 0x3400, max: 0x9fff }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(fc.oneof(han, fc.string({ unit: 'binary' })), (text) => {
      const folded = foldTraditional(text);
      expect(folded).toHaveLength(text.length);
      expect(foldTraditional(folded)).toBe(folded);
    }),
  );
  expect(foldTraditional('PPR-9087 支持7天退货')).toBe('PPR-9087 支持7天退货');
});

test('a question in traditional characters has the tokens of a simplified document, and the reverse', () => {
  expect(tokenize('退貨運費險', { mode: 'query' })).toEqual(tokenize('退货运费险', { mode: 'index' }));
});
