import { expect, test } from 'vitest';
import { isTextTable, previewTable } from './table-preview.ts';

const preview = (text: string | Uint8Array<ArrayBuffer>, encoding: '' | 'gb18030' | 'utf-8' = '') =>
  previewTable(new Blob([text]), encoding);

test('the columns and first rows of a table are shown, with its own separator and quotes', async () => {
  expect(await preview('sku;name\r\n1;"a;b ""c"""\r\n2;"two\nlines"\r\n')).toEqual({
    columns: ['sku', 'name'],
    rows: [
      ['1', 'a;b "c"'],
      ['2', 'two\nlines'],
    ],
    isDoubtful: false,
  });
  expect((await preview('问题\t答案\n几天？\t15 天')).rows).toEqual([['几天？', '15 天']]);
  expect((await preview('a,b\n'.repeat(50))).rows).toHaveLength(5);
});

test('an encoding is guessed, and another one can be tried', async () => {
  const gbk = new Uint8Array([0xce, 0xca, 0xcc, 0xe2, 0x2c, 0xb4, 0xf0, 0xb0, 0xb8]); // 问题,答案
  expect((await preview(gbk)).columns).toEqual(['问题', '答案']);
  expect(await preview(gbk, 'utf-8')).toMatchObject({ isDoubtful: true });
});

test('tables of text are known by their names', () => {
  expect(['a.csv', 'b/c.TSV', 'a.xlsx', 'a.md'].map(isTextTable)).toEqual([true, true, false, false]);
});
