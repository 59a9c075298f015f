import { expect, test } from 'vitest';
import { detectEncoding } from './detect.ts';

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

test('western text is not read in an encoding of two bytes', () => {
  const latin = Buffer.from('Stra\xdfe, gr\xfc\xdfe, caf\xe9 \x80 100, \x93quoted\x94', 'latin1');
  expect(detectEncoding(latin, true)).toEqual({ charset: 'windows-1252', isDoubtful: false });
});

test('a few common characters are enough to distinguish two Chinese encodings', () => {
  const gbk = bytes([0xb3, 0xa3, 0xbc, 0xfb, 0xce, 0xca, 0xcc, 0xe2, 0x2f, 0xcd, 0xcb, 0xbb, 0xf5]);
  expect(new TextDecoder('gb18030').decode(gbk)).toBe('常见问题/退货');
  expect(detectEncoding(gbk, true)?.charset).toBe('gb18030');
  const big5 = bytes([0xb1, 0x60, 0xa8, 0xa3, 0xb0, 0xdd, 0xc3, 0x44]);
  expect(new TextDecoder('big5').decode(big5)).toBe('常見問題');
  expect(detectEncoding(big5, true)?.charset).toBe('big5');
});

test('a short sentence in Chinese is not letters of another alphabet', () => {
  // 退款多久到账？三天。
  expect(detectEncoding(Buffer.from('cdcbbfeeb6e0bec3b5bdd5cba3bfc8fdcceca1a3', 'hex'), true)?.charset).toBe('gb18030');
  // 你好，欢迎来到商城
  expect(detectEncoding(Buffer.from('c4e3bac3a3acbbb6d3adc0b4b5bdc9ccb3c7', 'hex'), true)?.charset).toBe('gb18030');
  const russian = Buffer.from(
    'f7cfdad7d2c1d420c4c5cec5c720dac1cec9cdc1c5d420d4d2c920c4ced120d0cfd3ccc520d0cfccd5dec5cec9d12e',
    'hex',
  );
  expect(new TextDecoder('koi8-r').decode(russian)).toContain('Возврат денег');
  expect(detectEncoding(russian, true)?.charset).toBe('koi8-r');
});

test('accented letters may be two in a word', () => {
  expect(detectEncoding(Buffer.from('Es kostet 5 \x80 \x96 in Gr\xf6\xdfe M', 'latin1'), true)?.charset).toBe(
    'windows-1252',
  );
});

test('UTF-16 is found although an ideograph has a zero byte too', () => {
  expect(detectEncoding(Buffer.from('question,answer\n退货吗？,可以退货的\n', 'utf16le'), true)?.charset).toBe(
    'utf-16le',
  );
});

test('UTF-8 with damaged characters, and bytes that are no text, have no encoding', () => {
  const half = Buffer.concat([Buffer.from('正常的中文 UTF-8 text\n'), Buffer.from('bbb5b5c4b2bfb7d6', 'hex')]);
  expect(detectEncoding(half, true)).toBeUndefined();
  expect(detectEncoding(Buffer.from('MZ\0\x01\x02'.repeat(10)), true)).toBeUndefined();
});

test('a few bytes that fit nowhere are damaged, not another language', () => {
  expect(detectEncoding(bytes('Some ', [0xff, 0xc3, 0x28], ' here'), true)).toBeUndefined();
});
