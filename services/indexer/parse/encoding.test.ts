import { expect, test } from 'vitest';
import { detectEncoding } from './encoding.ts';

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

test('a mark, zero bytes and valid UTF-8 leave no doubt', () => {
  expect(detectEncoding(bytes([0xef, 0xbb, 0xbf], 'a'), true)).toEqual({ charset: 'utf-8', isDoubtful: false });
  expect(detectEncoding(Buffer.from('\uFEFF你好', 'utf16le'), true)).toEqual({
    charset: 'utf-16le',
    isDoubtful: false,
  });
  expect(detectEncoding(Buffer.from('hours: 9 to 5', 'utf16le'), true)?.charset).toBe('utf-16le');
  expect(detectEncoding(Buffer.from('hours: 9 to 5', 'utf16le').swap16(), true)?.charset).toBe('utf-16be');
  expect(detectEncoding(Buffer.from('营业时间'), true)?.charset).toBe('utf-8');
});

test('a character that the end of a sample cuts is no damage', () => {
  const cut = Buffer.from('营业时间').subarray(0, 11);
  expect(detectEncoding(cut, false)?.charset).toBe('utf-8');
});

test('western text is not taken for an encoding of two bytes', () => {
  const latin = Buffer.from('Stra\xdfe, gr\xfc\xdfe, caf\xe9 \x80 100, \x93quoted\x94', 'latin1');
  expect(detectEncoding(latin, true)).toEqual({ charset: 'windows-1252', isDoubtful: false });
});

test('a few bytes that fit nowhere are damaged, not another language', () => {
  expect(detectEncoding(bytes('Some ', [0xff, 0xc3, 0x28], ' here'), true)).toBeUndefined();
});
