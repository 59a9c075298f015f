import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import { skipped } from '#kit/testing/server.ts';
import type { ParsedDocument, ParseFailure, ParseNote } from '../parse/parser.ts';
import { createIsolation } from '../prepare/child/isolate.ts';
import { loadParsers, parserFolder } from '../prepare/parsers.ts';
import { type Found, readFile } from '../prepare/read-file.ts';

// Facts about files of other projects. They are not part of this repository: RAGMESH_FILES is a folder with them and with an
// `expected.json`, which lists for each file texts that must be read.

const folder = process.env.RAGMESH_FILES ?? '';
const advice = 'set RAGMESH_FILES to a folder of documents with an expected.json';
const isOther = (name: string) => !/\.(?:pdf|png|jpe?g)$/i.test(name);

interface Reading {
  documents: ParsedDocument[];
  failures: ParseFailure[];
  notes: ParseNote[];
  /** Everything that is stored of the documents. */
  all: string;
}

const isolation = createIsolation({ memoryBytes: 1 << 30, stallMs: 60_000, totalMs: 120_000 }, parserFolder);
let parsers: ReturnType<typeof loadParsers> | undefined;
afterAll(() => isolation.close());

async function read(name: string): Promise<Reading> {
  parsers ??= loadParsers((parserName, parser) => isolation.isolate(parserName, parser));
  const bytes = readFileSync(join(folder, name));
  const found: Found[] = [];
  const file = { path: name, mediaType: '', sizeBytes: bytes.length, read: () => only(bytes) };
  for await (const part of readFile(file, await parsers)) found.push(part);
  const documents = found.flatMap((part) => (part.kind === 'document' ? [part.document] : []));
  return {
    documents,
    failures: found.flatMap((part) => (part.kind === 'failure' ? [part.failure] : [])),
    notes: found.flatMap((part) => (part.kind === 'note' ? [part.note] : [])),
    all: documents
      .map(({ title, text, attributes }) => [title, text, ...Object.values(attributes)].join('\n'))
      .join('\n'),
  };
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

const withoutSpace = (text: string) => text.replace(/\s+/g, '');

/** Texts of `expected.json` that are not read, and why. */
const exceptions: Readonly<Record<string, string>> = {
  'un_xlsx-subtable-cases.xlsx Sheet1': 'the name that a program gives to the only sheet says nothing',
  'poi_57893-many-merges.xlsx Sheet1': 'the name that a program gives to the only sheet says nothing',
  'poi_poc-xmlbomb.xlsx Tabelle1': 'the name that a program gives to the only sheet says nothing',
  'poi_chinese-provinces.xls "Provinces in China"': 'quotation marks of CSV, which the sheet does not have',
  'testEXCEL_dateFormats.xls Munka1': 'the name that a program gives to the only sheet says nothing',
  'testPPT_various.pptx Bold** *italic': 'marks of Markdown, which the slide does not have',
  'testPPT_various.pptx title: "Slide 1"': 'form of another reader; the title itself is compared below',
  'testPPT_various.pptx This is the header text.': 'a header is on every page and no content',
  'docling_powerpoint_sample.pptx author: "Maxim Lysak"': 'form of another reader; the author is an attribute',
  'docling_powerpoint_sample.pptx > **Note:** Some notes on the second slide.':
    'form of another reader; the notes are compared below',
  'un_fake-power-point-table.pptx created: 2013-01-27T09:14:16.000Z': 'the time of creation is not kept',
  'testEPUB.epub title: "An ePub  for Tika"': 'form of another reader; the title is compared below',
  'testEPUB.epub Chapter 1 {#chapter-1}': 'form of another reader; the headings are compared below',
  'testEPUB.epub Subchapter 2.1 {#subchapter-21}': 'form of another reader; the headings are compared below',
  'testODTStyles3.odt author: "Marleen Vrolix"': 'form of another reader; the author is an attribute',
  'docling_odf_table_with_title_01.ods created: 2026-06-09T14:50:11.888Z': 'the time of creation is not kept',
  'docling_odf_table_with_title_01.ods modified: 2026-06-09T15:50:38.041Z':
    'form of another reader; the time is updated_at',
  'testRFC822_multipart_attachments.eml ATT:Test TxtA.txt:33,Test TxtB.txt:33':
    'form of another reader; attachments are documents',
  'un_mime-different-plain-html.eml recipient@example.com': 'recipients are personal data without use for answers',
  'un_mime-different-plain-html.eml 2024-10-01T17:34:56.000Z': 'the time is updated_at',
};

/** What else must hold of a file. */
const facts: Readonly<Record<string, Fact>> = {
  'bomb-1gib.docx': { reason: ErrorReason.TOO_LARGE },
  'bomb-1gib.zip': { reason: ErrorReason.TOO_LARGE },
  'faq-big5.txt': { has: ['問：七天鑑賞期的運費由誰負擔？'] },
  'faq-bundle.zip': {
    ids: ['faq-bundle.zip/常见问题/退货.txt', 'faq-bundle.zip/手册/仓储.docx'],
    reason: ErrorReason.DOCUMENT_CORRUPT,
  },
  'faq-gb18030.csv': { count: 2, has: ['电子发票二十四小时内，纸质发票三个工作日内'] },
  'faq-gb18030.txt': { has: ['问：七天无理由退货的运费由谁承担？'] },
  'faq-sjis.txt': { has: ['返品の送料は誰が負担しますか。'] },
  'faq-utf16le-bom.txt': { has: ['问：七天无理由退货的运费由谁承担？'], lacks: ['\uFEFF'] },
  'faq-utf8-bom.txt': { has: ['问：七天无理由退货的运费由谁承担？'], lacks: ['\uFEFF'] },
  'guide-zh.epub': { order: ['第一章 开店', '保证金为三千元', '第二章 上架', 'ZT-05'] },
  'invoice-gb2312.eml': { has: ['发票抬头变更', '李雷', '91440300MA5F0000XX'] },
  'notice-gbk.rtf': { has: ['云杉商城通知：国庆期间照常发货，单号 TZ-1001。', '加粗：全场满减'], lacks: ['?'] },
  'page-gbk.html': { has: ['信用卡 | 到账时间：三至十个工作日'], lacks: ['热卖推荐', '购物车', '备案号'] },
  'prices-zh.xlsx': {
    has: ['SKU: 0027', '2026-10-02', '12.5%'],
    lacks: ['内部底价', '金额：0'],
    notes: [NoteKind.HIDDEN_SKIPPED, NoteKind.VALUE_MISSING],
  },
  'refund-zh.eml': { title: '关于订单 DD-88213 的退款进度', has: ['239.00', '保温杯'], lacks: ['内部底价'] },
  'training-zh.pptx': { order: ['双十一客服培训', 'HS-118', '江浙沪', '满59元'] },
  'warehouse-zh.docx': {
    order: [
      '# 一、入库',
      'PO-2026-11-0457',
      '## 1.1 贴标',
      '1. 扫描条码',
      '2. 打印标签',
      '3. 贴于右上角',
      '江浙沪',
      '满59元',
      '大件商品',
      '嵌套单元甲',
      '嵌套单元乙',
      '# 二、出库',
    ],
    lacks: ['页眉：内部资料'],
  },
  'testWORD_protected_passtika.docx': { reason: ErrorReason.DOCUMENT_ENCRYPTED },
  'testWORD_truncated.docx': { reason: ErrorReason.DOCUMENT_CORRUPT },
  'testWORD.doc': { reason: ErrorReason.MEDIA_TYPE_UNSUPPORTED },
  'testEXCEL_protected_passtika.xlsx': { reason: ErrorReason.DOCUMENT_ENCRYPTED },
  'testPPT_protected_passtika.pptx': { reason: ErrorReason.DOCUMENT_ENCRYPTED },
  'testODTEncrypted.odt': { reason: ErrorReason.DOCUMENT_ENCRYPTED },
  'testZIP_corrupted_oom.zip': { reason: ErrorReason.DOCUMENT_CORRUPT },
  'testPPT_various.pptx': { has: ['Bullet 1', 'ゾルゲと尾崎'] },
  'docling_powerpoint_sample.pptx': { has: ['Some notes on the second slide.', '2. List item5', '3. List3'] },
  'testEPUB.epub': {
    title: 'An ePub for Tika',
    order: ['# Chapter 1', '# Chapter 2', '## Subchapter 2.1', 'Table data'],
  },
  'testRTFJapanese.rtf': { has: ['ゾルゲと尾崎'], lacks: ['?'] },
  'testMSG_chinese.msg': { has: ['張毓倫', '格式測試'], lacks: ['®æ¦¡'] },
  'testMSG_att_msg.msg': { has: ['Blah blah blah'] },
  'docling_msg_with_attachment.msg': {
    has: ['This is a test attachment file.'],
    // Its other attachment is named like a PDF and is none.
    failedIds: ['docling_msg_with_attachment.msg/report.pdf'],
  },
  'testRFC822_multipart_attachments.eml': { count: 3, has: ['This is Test TXTB File for parser'] },
  'un_mime-different-plain-html.eml': { has: ['This is the text/plain part.'], lacks: ['<html'] },
  // The entry of this archive is in a format that no parser reads; its name shows that names are decoded.
  'gbk.zip': { failedIds: ['gbk.zip/审计压缩包文件检索测试/集团邮件审计系统2021年自动巡检需求文档_V4.0.doc'] },
  'testHTMLNoisyMetaEncoding_1.html': { has: ['وأعرب الاتحاد'] },
  'cc_ocr_test.docx': {},
};

interface Fact {
  /** Texts of the documents; white space does not count. */
  has?: readonly string[];
  lacks?: readonly string[];
  /** Texts that follow each other. */
  order?: readonly string[];
  title?: string;
  count?: number;
  ids?: readonly string[];
  failedIds?: readonly string[];
  reason?: ErrorReason;
  notes?: readonly NoteKind[];
}

describe.skipIf(!existsSync(join(folder, 'expected.json')) && skipped('files', 2, advice))(
  'files of other projects',
  () => {
    const expected = () =>
      JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Record<string, { text: string }[]>;

    test('have the texts that are known of them, but for the exceptions', async () => {
      const lost: string[] = [];
      let foundCount = 0;
      for (const [name, texts] of Object.entries(expected()).filter(([known]) => isOther(known))) {
        if (!existsSync(join(folder, name)) || texts.length === 0) continue;
        const all = withoutSpace((await read(name)).all);
        for (const { text } of texts) {
          if (all.includes(withoutSpace(text))) foundCount++;
          else if (exceptions[`${name} ${text}`] === undefined) lost.push(`${name}: ${text}`);
        }
      }
      expect(lost).toEqual([]);
      expect(foundCount).toBeGreaterThan(0);
    }, 300_000);

    test('hold what is known of them', async () => {
      const broken: string[] = [];
      for (const [name, fact] of Object.entries(facts)) {
        if (existsSync(join(folder, name)))
          broken.push(...check(fact, await read(name)).map((what) => `${name}: ${what}`));
      }
      expect(broken).toEqual([]);
    }, 300_000);
  },
);

/** Returns what does not hold. */
function check(fact: Fact, { documents, failures, notes, all }: Reading): string[] {
  const broken: string[] = [];
  const text = withoutSpace(all);
  for (const words of fact.has ?? []) if (!text.includes(withoutSpace(words))) broken.push(`lacks ${words}`);
  for (const words of fact.lacks ?? []) if (all.includes(words)) broken.push(`has ${words}`);
  let at = 0;
  for (const words of fact.order ?? []) {
    const next = text.indexOf(withoutSpace(words), at);
    if (next === -1) broken.push(`lacks ${words} after the one before`);
    else at = next;
  }
  const ids = documents.map(({ documentId }) => documentId);
  if (fact.title !== undefined && documents[0]?.title.replace(/\s+/g, ' ') !== fact.title)
    broken.push(`title ${documents[0]?.title}`);
  if (fact.count !== undefined && documents.length !== fact.count) broken.push(`${documents.length} documents`);
  if (fact.ids !== undefined && fact.ids.join() !== ids.join()) broken.push(`ids ${ids.join()}`);
  for (const id of fact.failedIds ?? [])
    if (!failures.some(({ documentId }) => documentId === id)) broken.push(`no failure of ${id}`);
  if (fact.reason !== undefined && !failures.some(({ reason }) => reason === fact.reason))
    broken.push(`reasons ${failures.map(({ reason }) => reason)}`);
  if (fact.reason === undefined && fact.failedIds === undefined && failures.length > 0)
    broken.push(failures.map(({ message }) => message).join());
  for (const kind of fact.notes ?? []) if (!notes.some((note) => note.kind === kind)) broken.push(`no note ${kind}`);
  return broken;
}
