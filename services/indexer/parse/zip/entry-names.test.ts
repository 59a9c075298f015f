import { expect, test } from 'vitest';
import type { Entry } from 'yauzl';
import { decodeNames } from './entry-names.ts';

const named = (...bytes: (string | number)[]) =>
  ({
    generalPurposeBitFlag: 0,
    fileNameRaw: Buffer.concat(
      bytes.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))),
    ),
    extraFields: [],
  }) as unknown as Entry;

test('names of a Western system are read in CP437', () => {
  expect(decodeNames([named('r', 0x82, 'sum', 0x82, '.txt')])).toEqual(['résumé.txt']);
  expect(decodeNames([named('A', 0xa5, 'o/ma', 0xa4, 'ana.md'), named('readme.md')])).toEqual([
    'AÑo/mañana.md',
    'readme.md',
  ]);
  expect(decodeNames([named(0x9a, 'bersicht.html'), named('Stra', 0xe1, 'e.html')])).toEqual([
    'Übersicht.html',
    'Straße.html',
  ]);
});

test('names of an Asian system are read in its encoding', () => {
  const gbk = Buffer.from([0xcd, 0xcb, 0xbb, 0xf5, 0xd5, 0xfe, 0xb2, 0xdf]);
  expect(decodeNames([named(...gbk, '.md'), named('plain-notes-about-returns.md')])).toEqual([
    '退货政策.md',
    'plain-notes-about-returns.md',
  ]);
  const shiftJis = Buffer.from([
    0x83, 0x65, 0x83, 0x58, 0x83, 0x67, 0x8e, 0x91, 0x97, 0xbf, 0x82, 0xcc, 0x90, 0xe0, 0x96, 0xbe,
  ]);
  expect(decodeNames([named(...shiftJis, '.txt')])).toEqual(['テスト資料の説明.txt']);
});
