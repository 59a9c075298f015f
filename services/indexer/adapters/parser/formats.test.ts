import { utils, type WorkBook, write } from '@e965/xlsx';
import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { createFromAdapter } from '#kit/host/config/adapters.ts';
import type { Parsed, ParsedDocument, Parser } from '../../parse/parser.ts';
import { parseAll } from '../../suites/parser.suite.ts';
import { docxOf, epubOf, odfOf, paragraphOf, pptxOf, shapeOf, wordPart } from '../../testing/office-files.ts';
import { zipOf } from '../../testing/zip-of.ts';

const load = (name: string) =>
  createFromAdapter<Parser, object>(new URL('./', import.meta.url), name, undefined, {}, 'indexer.parser');
const read = async (name: string, path: string, content: string | Uint8Array): Promise<Parsed[]> =>
  parseAll(await load(name), path, content);
const one = async (name: string, path: string, content: string | Uint8Array): Promise<ParsedDocument> => {
  const found = (await read(name, path, content)).find((parsed) => parsed.kind === 'document');
  if (found === undefined) throw new Error('no document');
  return found.document;
};
const failure = (name: string, path: string, content: string | Uint8Array) =>
  read(name, path, content).then(
    () => undefined,
    (error: { reason: ErrorReason }) => error.reason,
  );

describe('Word', () => {
  const cell = (text: string, properties = '') => `<w:tc><w:tcPr>${properties}</w:tcPr>${text}</w:tc>`;
  const row = (...cells: string[]) => `<w:tr>${cells.join('')}</w:tr>`;

  test('headings follow styles and outline levels, lists their numbers', async () => {
    const styles = wordPart(
      'styles',
      '<w:style w:styleId="H"><w:name w:val="heading 1"/></w:style><w:style w:styleId="H2"><w:basedOn w:val="H"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style><w:style w:styleId="T"><w:name w:val="Title"/></w:style><w:style w:styleId="C"><w:name w:val="toc 1"/></w:style>',
    );
    const level = (index: number, format: string, text: string) =>
      `<w:lvl w:ilvl="${index}"><w:start w:val="1"/><w:numFmt w:val="${format}"/><w:lvlText w:val="${text}"/></w:lvl>`;
    const numbering = wordPart(
      'numbering',
      `<w:abstractNum w:abstractNumId="0">${level(0, 'chineseCounting', '%1、')}${level(1, 'decimal', '%1.%2')}</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>`,
    );
    const entry = (text: string, at: number) =>
      paragraphOf(text, `<w:numPr><w:ilvl w:val="${at}"/><w:numId w:val="1"/></w:numPr>`);
    const body =
      paragraphOf('手册', '<w:pStyle w:val="T"/>') +
      paragraphOf('目录 1', '<w:pStyle w:val="C"/>') +
      paragraphOf('入库', '<w:pStyle w:val="H"/>') +
      paragraphOf('贴标', '<w:pStyle w:val="H2"/>') +
      entry('扫描', 0) +
      entry('再扫', 1) +
      entry('打印', 0);
    const document = await one(
      'docx',
      'a.docx',
      docxOf(body, { 'word/styles.xml': styles, 'word/numbering.xml': numbering }),
    );
    expect(document.title).toBe('手册');
    expect(document.text).toBe('# 手册\n\n# 入库\n\n## 贴标\n\n一、 扫描\n一.1 再扫\n二、 打印');
  });

  test('merged and nested tables keep their meaning', async () => {
    const table = `<w:tbl>${row(cell(paragraphOf('地区')), cell(paragraphOf('首重')), cell(paragraphOf('续重')))}${row(
      cell(paragraphOf('江浙沪'), '<w:vMerge w:val="restart"/>'),
      cell(paragraphOf('8元')),
      cell(`<w:tbl>${row(cell(paragraphOf('内甲')), cell(paragraphOf('内乙')))}</w:tbl>${paragraphOf('')}`),
    )}${row(cell(paragraphOf(''), '<w:vMerge/>'), cell(paragraphOf('9元')), cell(paragraphOf('3元')))}${row(
      cell(paragraphOf('大件'), '<w:gridSpan w:val="2"/>'),
      cell(paragraphOf('面议')),
    )}</w:tbl>`;
    expect((await one('docx', 'a.docx', docxOf(table))).text.split('\n')).toEqual([
      '| 地区：江浙沪 | 首重：8元 | 续重：内甲, 内乙 |',
      '| 地区：江浙沪 | 首重：9元 | 续重：3元 |',
      '| 地区：大件 | 续重：面议 |',
    ]);
  });

  test('deleted and hidden text is left out, text boxes and footnotes are read', async () => {
    const run = (text: string, properties = '') => `<w:r><w:rPr>${properties}</w:rPr><w:t>${text}</w:t></w:r>`;
    const body = `<w:p>${run('Kept')}<w:del><w:r><w:delText> gone</w:delText></w:r></w:del>${run(' secret', '<w:vanish/>')}<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:drawing><w:txbxContent>${paragraphOf('In a box')}</w:txbxContent></w:drawing></w:r></w:p>`;
    const footnotes = wordPart('footnotes', `<w:footnote w:id="2">${paragraphOf('A note')}</w:footnote>`);
    const parsed = await read('docx', 'a.docx', docxOf(body, { 'word/footnotes.xml': footnotes }));
    expect(parsed).toMatchObject([
      { document: { text: 'Kept\n\nIn a box\n\nA note' } },
      { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 1 } },
    ]);
  });

  test('properties, also those that people add, are metadata', async () => {
    const core =
      '<c:coreProperties xmlns:c="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:t="http://purl.org/dc/terms/"><dc:title>规则</dc:title><t:modified>2026-09-14T00:00:00Z</t:modified></c:coreProperties>';
    const custom =
      '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"><property name="groups"><v>staff</v></property><property name="复审日期"><v>2027年1月5日</v></property></Properties>';
    const file = docxOf(paragraphOf('正文'), { 'docProps/core.xml': core, 'docProps/custom.xml': custom });
    expect(await one('docx', 'a.docx', file)).toMatchObject({
      title: '规则',
      updatedAtMs: Date.UTC(2026, 8, 14),
      groups: ['staff'],
      attributes: { review_at: '2027-01-05' },
    });
  });

  test('a password, damage, an older format under another name, and a bomb are failures of their own', async () => {
    const ole = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)]);
    expect(await failure('docx', 'a.docx', ole)).toBe(ErrorReason.MEDIA_TYPE_UNSUPPORTED);
    const withPassword = Buffer.concat([ole, Buffer.from('EncryptedPackage', 'utf16le')]);
    expect(await failure('docx', 'a.docx', withPassword)).toBe(ErrorReason.DOCUMENT_ENCRYPTED);
    const whole = docxOf(paragraphOf('x'));
    expect(await failure('docx', 'a.docx', whole.subarray(0, whole.length / 2))).toBe(ErrorReason.DOCUMENT_CORRUPT);
    const bomb = docxOf(`<w:p><w:r><w:t>${' '.repeat(20 << 20)}</w:t></w:r></w:p>`);
    expect(await failure('docx', 'a.docx', bomb)).toBe(ErrorReason.TOO_LARGE);
    const entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><x>&a;</x>';
    expect(await failure('docx', 'a.docx', zipOf({ 'word/document.xml': entities }))).toBe(
      ErrorReason.DOCUMENT_CORRUPT,
    );
  });
});

describe('Excel', () => {
  const sheetOf = (rows: unknown[][], more: object = {}) => Object.assign(utils.aoa_to_sheet(rows), more);
  const fileOf = (sheets: Record<string, object>, hidden: readonly string[] = []) => {
    const Sheets = Object.keys(sheets).map((name) => ({ name, Hidden: hidden.includes(name) ? 1 : 0 }));
    const workbook = { SheetNames: Object.keys(sheets), Sheets: sheets, Workbook: { Sheets } };
    return write(workbook as WorkBook, { type: 'buffer', bookType: 'xlsx' }) as Buffer;
  };

  test('values are as they are shown; hidden sheets, rows and columns are left out and counted', async () => {
    const prices = sheetOf(
      [
        ['价格表', null, null, null],
        ['SKU', '比例', '上架', '底价'],
        ['0027', { t: 'n', v: 0.125, z: '0.0%' }, { t: 'n', v: 46297, z: 'yyyy-mm-dd' }, 1],
        ['0028', 'secret', '', 2],
      ],
      {
        '!merges': [{ s: { r: 0, c: 0 }, e: { r: 0, c: 3 } }],
        '!cols': [{}, {}, {}, { hidden: true }],
        '!rows': [{}, {}, {}, { hidden: true }],
      },
    );
    const parsed = await read('spreadsheet', 'a.xlsx', fileOf({ 价格: prices, 内部: sheetOf([['x']]) }, ['内部']));
    expect(parsed).toMatchObject([
      { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 3 } },
      { document: { text: '## 价格\n\n价格表\n\n| SKU: 0027 | 比例：12.5% | 上架：2026-10-02 |' } },
    ]);
  });

  // Programs other than Excel write these formats without a backslash before the dot.
  test.each([
    ['dd.mm.yyyy', 46_127.545, '15.04.2026'],
    ['yyyy.m.d', 46_127, '2026.4.15'],
    ['dd.mm.yyyy hh:mm', 46_127.75, '15.04.2026 18:00'],
    ['[$-407]d. mmmm yyyy', 46_127, '15. April 2026'],
    ['hh:mm:ss.00', 0.5, '12:00:00.00'],
    ['"v. "dd.mm.yy', 46_127, 'v. 15.04.26'],
  ])('the dots of "%s" are those of a date', async (format, value, shown) => {
    const sheet = sheetOf([
      ['tag', 'wert'],
      ['a', { t: 'n', v: value, z: format }],
    ]);
    const parsed = await read('spreadsheet', 'a.xlsx', fileOf({ S: sheet }));
    expect(parsed).toMatchObject([{ document: { text: `## S\n\n| tag: a | wert: ${shown} |` } }]);
  });

  test('days since 1904 are those of a workbook that says so', async () => {
    const sheet = sheetOf([['wert'], [{ t: 'n', v: 44_665, z: 'd.m.yyyy' }]]);
    const workbook = { SheetNames: ['S'], Sheets: { S: sheet }, Workbook: { WBProps: { date1904: true } } };
    const file = write(workbook as WorkBook, { type: 'buffer', bookType: 'xlsx' }) as Buffer;
    expect(await read('spreadsheet', 'a.xlsx', file)).toMatchObject([
      { document: { text: expect.stringContaining('15.4.2026') } },
    ]);
  });

  test('a sheet of questions is one document for each row, and a table beside it one document', async () => {
    const faq = sheetOf([
      ['常见问题'],
      ['问题', '答案', '相似问'],
      ['怎么退货？', '七天内', '退货流程'],
      [],
      ['几点？', '八点', ''],
    ]);
    const parsed = await read(
      'spreadsheet',
      'a.xlsx',
      fileOf({
        问答: faq,
        运费: sheetOf([
          ['区', '价'],
          ['沪', '8元'],
        ]),
      }),
    );
    expect(parsed).toMatchObject([
      { document: { documentId: 'a.xlsx#问答!3', title: '怎么退货？', text: '## 退货流程\n\n七天内', isPlaced: true } },
      { document: { documentId: 'a.xlsx#问答!5', title: '几点？', text: '八点', attributes: { sheet: '问答' } } },
      { document: { documentId: 'a.xlsx', text: '## 运费\n\n| 区：沪 | 价：8元 |' } },
    ]);
  });

  test('a formula without a result is reported, not 0', async () => {
    const sheet =
      '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="str"><v>数量</v></c><c r="B1" t="str"><v>金额</v></c></row><row r="2"><c r="A2"><v>0</v></c><c r="B2"><f>A2*2</f><v></v></c></row><row r="3"><c r="A3"><v>5</v></c><c r="B3"><f>A3-5</f><v>0</v></c></row></sheetData></worksheet>';
    const relation = (type: string, target: string) =>
      `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/${type}" Target="${target}"/></Relationships>`;
    const file = zipOf({
      '[Content_Types].xml':
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/s.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
      '_rels/.rels': relation('officeDocument', 'xl/workbook.xml'),
      'xl/workbook.xml':
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Sheet1" sheetId="1" r:id="r"/></sheets></workbook>',
      'xl/_rels/workbook.xml.rels': relation('worksheet', 's.xml'),
      'xl/s.xml': sheet,
    });
    expect(await read('spreadsheet', 'a.xlsx', file)).toMatchObject([
      { note: { kind: NoteKind.VALUE_MISSING, count: 1 } },
      { document: { text: '| 数量：0 |\n| 数量：5 | 金额：0 |' } },
    ]);
  });
});

test('slides are read in their order with notes, without hidden ones', async () => {
  const table =
    '<p:graphicFrame><a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc><a:txBody><a:p><a:r><a:t>区</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>价</a:t></a:r></a:p></a:txBody></a:tc></a:tr><a:tr><a:tc><a:txBody><a:p><a:r><a:t>沪</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>8元</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>';
  const parsed = await read(
    'pptx',
    'a.pptx',
    pptxOf([
      { shapes: shapeOf('', 'First said') + shapeOf('title', '培训') + shapeOf('ftr', 'every slide'), notes: 'HS-118' },
      { shapes: shapeOf('', 'hidden'), isHidden: true },
      { shapes: table },
    ]),
  );
  expect(parsed).toMatchObject([
    { document: { title: '培训', text: '## 培训\n\nFirst said\n\nHS-118\n\n## 3\n\n| 区：沪 | 价：8元 |' } },
    { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 1 } },
  ]);
  const document = await one(
    'pptx',
    'a.pptx',
    pptxOf([{ shapes: shapeOf('title', 'A') }, { shapes: shapeOf('', 'b') }]),
  );
  expect(document.blocks.map(({ regions }) => regions?.[0]?.page)).toEqual([1, 2, 2]);
});

describe('OpenDocument', () => {
  test('texts have headings, lists, notes and tables; hidden text is left out', async () => {
    const styles = '<style:style style:name="X"><style:text-properties text:display="none"/></style:style>';
    const body =
      '<text:h text:outline-level="2">规则</text:h><text:p>一<text:s text:c="2"/>二<text:span text:style-name="X">密</text:span><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>注</text:p></text:note-body></text:note></text:p><text:list><text:list-item><text:p>项</text:p></text:list-item></text:list><table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>区</text:p></table:table-cell><table:table-cell><text:p>价</text:p></table:table-cell></table:table-row></table:table-header-rows><table:table-row><table:table-cell><text:p>沪</text:p></table:table-cell><table:table-cell><text:p>8元</text:p></table:table-cell></table:table-row></table:table>';
    const parsed = await read('odf', 'a.odt', odfOf('text', body, { styles }));
    expect(parsed[0]).toMatchObject({
      document: { title: '规则', text: '## 规则\n\n一  二\n\n注\n\n- 项\n\n| 区：沪 | 价：8元 |' },
    });
    expect(parsed[1]).toMatchObject({ note: { kind: NoteKind.HIDDEN_SKIPPED } });
  });

  test('spreadsheets show what their reader sees', async () => {
    const cell = (text: string) => `<table:table-cell><text:p>${text}</text:p></table:table-cell>`;
    const styles = '<style:style style:name="H"><style:table-properties table:display="false"/></style:style>';
    const body = `<table:table table:name="运费"><table:table-row>${cell('区')}${cell('价')}</table:table-row><table:table-row>${cell('沪')}${cell('8元')}</table:table-row><table:table-row table:visibility="collapse">${cell('密')}${cell('1元')}</table:table-row></table:table><table:table table:style-name="H"><table:table-row>${cell('底价')}</table:table-row></table:table>`;
    expect(await read('odf', 'a.ods', odfOf('spreadsheet', body, { styles }))).toMatchObject([
      { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 2 } },
      { document: { text: '## 运费\n\n| 区：沪 | 价：8元 |' } },
    ]);
  });

  test('slides have their titles and notes, and a password is a failure of its own', async () => {
    const page =
      '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>培训</text:p></draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>正文</text:p></draw:text-box></draw:frame><presentation:notes><draw:frame presentation:class="notes"><draw:text-box><text:p>备注</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>';
    expect((await one('odf', 'a.odp', odfOf('presentation', page))).text).toBe('## 培训\n\n正文\n\n备注');
    const manifest =
      '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>';
    expect(await failure('odf', 'a.odt', odfOf('text', '', { manifest }))).toBe(ErrorReason.DOCUMENT_ENCRYPTED);
  });
});

test('chapters of a book are in the order of reading; a book that is locked is a failure of its own', async () => {
  const book = epubOf(['<h1>第一章</h1><p>甲</p>', '<h1>第二章</h1><p>乙</p>']);
  expect(await one('epub', 'a.epub', book)).toMatchObject({
    title: '书',
    language: 'zh',
    text: '# 第一章\n\n甲\n\n# 第二章\n\n乙',
  });
  const encryption = (path: string) => ({
    'META-INF/encryption.xml': `<encryption><x><CipherReference URI="${path}"/></x></encryption>`,
  });
  expect((await one('epub', 'a.epub', epubOf(['<p>a</p>'], encryption('OPS/font.otf')))).text).toBe('a');
  expect(await failure('epub', 'a.epub', epubOf(['<p>a</p>'], encryption('OPS/text/c%200.xhtml')))).toBe(
    ErrorReason.DOCUMENT_ENCRYPTED,
  );
});

test('RTF has its code pages, Unicode with its fallback, headings, lists and tables', async () => {
  const gbk = Buffer.from([0xb7, 0xa2, 0xbb, 0xf5]);
  const hex = [...gbk].map((byte) => `\\'${byte.toString(16)}`).join('');
  const file = `{\\rtf1\\ansi\\ansicpg1252\\uc2{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset134 B;}}{\\stylesheet{\\s1 heading 1;}}{\\info{\\title T}}{\\header page}
\\pard\\s1 {\\f1 ${hex}}\\par\\pard{\\listtext 1.\\tab}{\\u20986\\'b3\\'f6} caf\\'e9{\\v hidden}\\par
{\\pict 0102}\\pard\\trowd\\intbl a\\cell b\\cell\\row\\trowd\\intbl 1\\cell 2\\cell\\row\\pard {\\*\\unknown x}end\\par}`;
  const parsed = await read('rtf', 'a.rtf', file);
  expect(parsed).toMatchObject([
    { document: { title: '发货', text: '# 发货\n\n1. 出 café\n\n| a: 1 | b: 2 |\n\nend' } },
    { note: { kind: NoteKind.HIDDEN_SKIPPED, count: 1 } },
  ]);
});

test('a message is its subject and plain body; attachments are files that cannot leave it', async () => {
  const part = (headers: string, body: string) => `--b\n${headers}\n\n${body}\n`;
  const file = `Subject: =?utf-8?B?${Buffer.from('退款').toString('base64')}?=\nFrom: A <a@x.example>\nDate: Mon, 14 Sep 2026 08:00:00 +0000\nContent-Type: multipart/mixed; boundary=b\n\n${part('Content-Type: text/plain; charset=utf-8', '您好')}${part('Content-Type: text/html', '<p>other</p>')}${part('Content-Type: text/plain\nContent-Disposition: attachment; filename="../../x.txt"', 'inner')}--b--\n`;
  const [message, attachment] = await read('mail', 'a.eml', file);
  expect(message).toMatchObject({
    document: { title: '退款', updatedAtMs: Date.UTC(2026, 8, 14, 8), attributes: { from: 'A' } },
  });
  expect(message?.kind === 'document' && message.document.text).toContain('您好');
  expect(attachment).toMatchObject({ kind: 'file', file: { path: '_.._x.txt' } });
});

test('an archive is a folder: names in their encoding, entries that lead out and bombs fail alone', async () => {
  const archive = zipOf([
    {
      name: Buffer.from('b3a3bcfbcecacce22fcdcbbbf52e747874', 'hex'),
      content: 'x',
    },
    { name: '../out.txt', content: 'y' },
    { name: 'bomb.txt', content: Buffer.alloc(20 << 20) },
    { name: '__MACOSX/._x', content: 'z' },
    { name: 'good.md', content: '# G' },
  ]);
  const parsed = await read('zip', 'a.zip', archive);
  expect(parsed).toMatchObject([
    { kind: 'file', file: { path: '常见问题/退货.txt' } },
    { kind: 'failure', failure: { reason: ErrorReason.DOCUMENT_CORRUPT } },
    { kind: 'failure', failure: { reason: ErrorReason.TOO_LARGE } },
    { kind: 'file', file: { path: 'good.md' } },
    { kind: 'note', note: { kind: NoteKind.FILE_SKIPPED, count: 1 } },
  ]);
  const huge = zipOf([{ name: 'a', content: 'x', declaredBytes: 600 << 20 }]);
  expect(await failure('zip', 'a.zip', huge)).toBe(ErrorReason.TOO_LARGE);
  const lying = await read('zip', 'a.zip', zipOf([{ name: 'a.txt', content: 'x'.repeat(1000), declaredBytes: 10 }]));
  expect(lying).toMatchObject([{ kind: 'failure', failure: { reason: ErrorReason.DOCUMENT_CORRUPT } }]);
});

test('JSON is a list of records, alone or in an object', async () => {
  expect(await read('json', 'a.json', '{"total":1,"data":[{"id":"k","text":"x"},{"title":"t"}]}')).toMatchObject([
    { document: { documentId: 'k', text: 'x' } },
    { failure: { line: 2 } },
  ]);
  expect(await read('json', 'a.json', '{"text":"x"}')).toMatchObject([{ document: { documentId: 'a.json#1' } }]);
  await expect(read('json', 'a.json', '[{')).rejects.toThrow('not JSON');
});

test('subtitles are what is said, in paragraphs; a sitemap is the list of its pages', async () => {
  const srt =
    '1\n00:00:01,000 --> 00:00:02,000\n<i>您好，</i>\n\n2\n00:00:02,000 --> 00:00:03,000\n欢迎。\n\n3\n00:01:00,000 --> 00:01:02,000\nNext.\n';
  expect((await one('subtitles', 'a.srt', srt)).text).toBe('您好，欢迎。\n\nNext.');
  const vtt = 'WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Ann>Hello</v>\n';
  expect((await one('subtitles', 'a.vtt', vtt)).text).toBe('Ann: Hello');
  const sitemap =
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://x/a</loc><lastmod>2026-09-14</lastmod></url></urlset>';
  expect((await one('sitemap', 'sitemap.xml', sitemap)).text).toBe('- https://x/a (2026-09-14)');
  expect(await failure('sitemap', 'a.xml', '<a>b</a>')).toBe(ErrorReason.MEDIA_TYPE_UNSUPPORTED);
  expect(await failure('legacy-office', 'a.doc', 'x')).toBe(ErrorReason.MEDIA_TYPE_UNSUPPORTED);
});
