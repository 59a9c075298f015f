import { expect, test } from 'vitest';
import { trueEnding } from './true-format.ts';

const of = (path: string, head: string) => trueEnding(path, Buffer.from(head, 'latin1'));

test('bytes that contradict a name win', () => {
  expect(of('guide.txt', '%PDF-1.7\n')).toBe('.pdf');
  expect(of('guide.docx', '%PDF-1.7\n')).toBe('.pdf');
  expect(of('letter.doc', '{\\rtf1\\ansi')).toBe('.rtf');
  expect(of('letter.DOC', 'PK\u0003\u0004')).toBe('.docx');
  expect(of('export.xls', '<html><meta charset="utf-8"><table>')).toBe('.html');
  expect(of('export.doc', '\xef\xbb\xbf<!DOCTYPE html>')).toBe('.html');
  expect(of('export.xls', 'question\tanswer\nHow?\tSo\n')).toBe('.csv');
  expect(of('export.xls', '\xff\xfeq\0\t\0a\0')).toBe('.csv');
});

test('a name that fits, or that nothing contradicts, stays', () => {
  expect(of('guide.pdf', '%PDF-1.7\n')).toBeUndefined();
  expect(of('book.xls', '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0,')).toBeUndefined();
  expect(of('book.xls', '\t\x08\x10\0\0\x06,')).toBeUndefined();
  expect(of('book.xlsx', 'PK\u0003\u0004,')).toBeUndefined();
  expect(of('page.html', '<html>')).toBeUndefined();
  expect(of('notes.md', '<html>')).toBeUndefined();
  expect(of('damaged.xlsx', 'nothing')).toBeUndefined();
  expect(of('bundle.zip', 'PK\u0003\u0004')).toBeUndefined();
  expect(of('a', '')).toBeUndefined();
});
