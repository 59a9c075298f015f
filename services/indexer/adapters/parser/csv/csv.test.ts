import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { ParsedDocument, ParseFailure, Parser } from '../../../parse/parser.ts';
import { parseAll } from '../../../suites/parser.suite.ts';

const load = () =>
  createFromAdapter<Parser, object>(new URL('../', import.meta.url), 'csv', undefined, {}, 'indexer.parser');
const documents = async (path: string, content: string | Uint8Array): Promise<ParsedDocument[]> =>
  (await parseAll(await load(), path, content)).flatMap((parsed) =>
    parsed.kind === 'document' ? [parsed.document] : [],
  );
const failures = async (path: string, content: string | Uint8Array): Promise<ParseFailure[]> =>
  (await parseAll(await load(), path, content)).flatMap((parsed) =>
    parsed.kind === 'failure' ? [parsed.failure] : [],
  );

const fileOf = (path: string) => ({ path, mediaType: '', sizeBytes: 0 });
async function* bytesOf(content: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(content);
}

describe('CSV', () => {
  test('rows are documents by their number; quotes, commas and line ends inside fields stay', async () => {
    const rows = await documents('en/faq.csv', 'question,answer,Team\n"a, ""b""?","l1\nl2",care\n\n问?,答,\n');
    expect(
      rows.map(({ documentId, title, text, attributes, line }) => [documentId, title, text, attributes, line]),
    ).toEqual([
      ['en/faq.csv#1', 'a, "b"?', 'l1\nl2', { Team: 'care' }, 2],
      ['en/faq.csv#2', '问?', '答', {}, 5],
    ]);
  });

  test('columns may be named in Chinese or any case, and an id column gives the ids', async () => {
    const [row] = await documents('a.csv', 'ID,问题,答案,权限组\nx-1,几点？,八点,staff；lead\n');
    expect(row).toMatchObject({
      documentId: 'x-1',
      isPlaced: false,
      title: '几点？',
      text: '八点',
      groups: ['staff', 'lead'],
    });
  });

  test('a bad row is a failure with its line, and the other rows are read', async () => {
    const bad = Buffer.concat([
      Buffer.from('title,text\na,x\n'),
      Buffer.from([0x62, 0x2c, 0xff, 10]),
      Buffer.from('c,\nd,z\n'),
    ]);
    expect((await documents('a.csv', bad)).map(({ documentId }) => documentId)).toEqual(['a.csv#1', 'a.csv#4']);
    expect(await failures('a.csv', bad)).toMatchObject([
      { line: 3, documentId: 'a.csv#2', reason: ErrorReason.DOCUMENT_CORRUPT },
      { line: 4, documentId: 'a.csv#3' },
    ]);
  });

  test('a table without a known column becomes its names and values', async () => {
    const table = '品名,价格,url\n台灯,89.90,https://x/1\n"灯, 大",,\n';
    const [lamp, large] = await documents('a.csv', table);
    expect(lamp).toMatchObject({ title: '台灯', text: '品名：台灯\n价格：89.90', url: 'https://x/1' });
    expect(large).toMatchObject({ title: '灯, 大', text: '品名：灯, 大', line: 3 });
    const [longer] = await documents('a.csv', 'Zone,Fee\nA,1,note\n');
    expect(longer?.text).toBe('Zone: A\nFee: 1\nnote');
    expect(await failures('a.csv', 'question,answer\nHow?,So, so\n')).toMatchObject([{ line: 2 }]);
  });

  test('the separator is found, or named by the first line', async () => {
    for (const separator of [';', '\t', '|', ',']) {
      const table = `问题${separator}答案\n"a; b, c|d"${separator}x\n`;
      expect(await documents('a.csv', table)).toMatchObject([{ title: 'a; b, c|d', text: 'x' }]);
    }
    expect(await documents('a.csv', 'sep=;\nquestion;answer\na,b;c,d\n')).toMatchObject([
      { title: 'a,b', text: 'c,d' },
    ]);
  });

  test('lines above the names of the columns are no rows', async () => {
    const table = '售后FAQ,,\n更新日期 2026-11-01,,\n问题,答案,备注\n如何退货,七天内,无\n';
    expect(await documents('a.csv', table)).toMatchObject([
      { documentId: 'a.csv#1', title: '如何退货', text: '七天内', attributes: { 备注: '无' }, line: 4 },
    ]);
    // Without names that are known, no line is left out.
    expect(await documents('a.csv', 'Fees\nZone,Fee\nA,1\n')).toHaveLength(3);
  });

  test('columns may be named in traditional characters and in Japanese', async () => {
    expect(await documents('a.csv', '問題,答案\n如何退貨,七天內\n')).toMatchObject([
      { title: '如何退貨', text: '七天內' },
    ]);
    expect(await documents('a.csv', '質問,回答\n返品,七日\n')).toMatchObject([{ title: '返品', text: '七日' }]);
  });

  test('a FAQ without names of columns is read as questions and answers', async () => {
    expect(await documents('a.csv', '几点营业？,八点\n怎么退货？,七天内\n')).toMatchObject([
      { documentId: 'a.csv#1', title: '几点营业？', text: '八点', line: 1 },
      { documentId: 'a.csv#2', title: '怎么退货？', text: '七天内', line: 2 },
    ]);
  });

  test('similar questions, in any form, find the one answer', async () => {
    const found = await documents('a.csv', '标准问,标准答案,相似问\n怎么退货,七天内,退货流程|我要退货\n,,如何退\n');
    expect(found).toMatchObject([{ title: '怎么退货', text: '## 退货流程 / 我要退货 / 如何退\n\n七天内' }]);
    expect(found[0]?.attributes).toEqual({});
    const [indexed] = await documents('a.csv', 'q,a,indexes\nHow?,So.,"[""In what way?""]"\n');
    expect(indexed).toMatchObject({ title: 'How?', text: '## In what way?\n\nSo.' });
  });

  test('the upload can say what columns mean, by name or by number', async () => {
    const parse = async (columns: Record<string, string>, content: string) => {
      const parser = await load();
      const all = [];
      for await (const parsed of parser.parse({ ...fileOf('a.csv'), columns }, bytesOf(content))) all.push(parsed);
      return all;
    };
    expect(await parse({ Betreff: 'title', Inhalt: 'text' }, 'Betreff;Inhalt;Ort\nA;x;y\n')).toMatchObject([
      { document: { title: 'A', text: 'x', attributes: { Ort: 'y' } } },
    ]);
    expect(await parse({ '2': 'title', '1': 'text' }, 'x,A\n')).toMatchObject([
      { document: { title: 'A', text: 'x' } },
    ]);
    await expect(parse({ Nope: 'text' }, 'a,b\n1,2\n')).rejects.toThrow('no column "nope"');
  });

  test('rows in GB18030 and in UTF-16 are read, and damaged rows fail alone', async () => {
    const gbk = Buffer.from('CECAB4F02CB4F0B0B80ABCB8B5E3D3AAD2B53F2CB0CBB5E30A', 'hex');
    expect((await documents('a.csv', gbk)).length + (await failures('a.csv', gbk)).length).toBe(1);
    const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('问题,答案\n几点？,八点\n', 'utf16le')]);
    expect(await documents('a.csv', utf16)).toMatchObject([{ title: '几点？', text: '八点' }]);
  });

  test('drafts are left out and counted, and access without groups makes a group of its own', async () => {
    const parsed = await parseAll(
      await load(),
      'a.csv',
      'title,text,draft,access,valid_until\na,x,true,,\nb,y,,internal,2026/9/4\nc,z,,public,\n',
    );
    expect(parsed).toMatchObject([
      { kind: 'note', note: { kind: NoteKind.DRAFT_SKIPPED, line: 2 } },
      { kind: 'note', note: { kind: NoteKind.MADE_PRIVATE, line: 3 } },
      { kind: 'document', document: { groups: ['internal'], attributes: { valid_until: '2026-09-04' } } },
      { kind: 'document', document: { groups: [] } },
    ]);
  });

  test('an unclosed quote fails with a clear message', async () => {
    const whole = Array.from({ length: 50 }, (_, index) => `t${index},x\n`).join('');
    const read: string[] = [];
    const reading = (async () => {
      for await (const parsed of (await load()).parse(fileOf('a.csv'), bytesOf(`title,text\n${whole}a,"x\nb,y\n`)))
        if (parsed.kind === 'document') read.push(parsed.document.title);
    })();
    await expect(reading).rejects.toThrow('quotes');
    // What is before it is read.
    expect(read).toHaveLength(50);
    expect((await documents('a.tsv', 'title\ttext\na,b\tx\n'))[0]).toMatchObject({ title: 'a,b', text: 'x' });
  });
});
