import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { UnreadableError } from '../../../parse/parser.ts';
import { expectSound } from '../../../suites/parser.suite.ts';
import { type PdfPage, writePdf } from '../../../testing/pdf/pdf-writer.ts';
import { linesAt, readBytes, readPages } from '../../../testing/pdf/read-made-pdf.ts';

const prose: PdfPage = {
  texts: linesAt(60, 100, ['Orders placed before noon leave the', 'warehouse on the same day.']),
};
const scan: PdfPage = { images: [[0, 0, 595, 842]] };
const failureOf = (reading: Promise<unknown>) =>
  reading.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('pages', () => {
  test('a page with marks and no text is a failure that names it, and the others are indexed', async () => {
    const { texts, failures } = await readPages(prose, scan, {}, scan);
    expect(texts).toEqual(['Orders placed before noon leave the warehouse on the same day.']);
    expect(failures).toMatchObject([
      {
        reason: ErrorReason.DOCUMENT_NEEDS_OCR,
        message: expect.stringContaining('pages 2, 4 show marks without text'),
      },
    ]);
  });

  test('a document of scans, and one without anything, fail', async () => {
    expect(await failureOf(readPages(scan))).toMatchObject({ reason: ErrorReason.DOCUMENT_NEEDS_OCR });
    expect(await failureOf(readPages({}))).toMatchObject({ reason: ErrorReason.DOCUMENT_CORRUPT });
  });

  test('a page whose text is outlines needs OCR as well', async () => {
    const lines = Array.from({ length: 60 }, (_, index): [number, number, number, number] => [
      60,
      100 + index,
      90 + index,
      130,
    ]);
    expect(await failureOf(readPages({ lines }))).toMatchObject({ reason: ErrorReason.DOCUMENT_NEEDS_OCR });
  });
});

describe('encryption and damage', () => {
  const encrypted = writePdf([prose], { password: 'tuihuo2026' });

  test('an encrypted document opens with its password only', async () => {
    const { texts } = await readBytes(encrypted, 'tuihuo2026');
    expect(texts).toHaveLength(1);
    const reason = ErrorReason.DOCUMENT_ENCRYPTED;
    expect(await failureOf(readBytes(encrypted))).toMatchObject({
      reason,
      message: expect.stringContaining('give its password'),
    });
    expect(await failureOf(readBytes(encrypted, 'wrong'))).toMatchObject({ reason });
  });

  test('what is no PDF, or only the beginning of one, is corrupt', async () => {
    const reason = ErrorReason.DOCUMENT_CORRUPT;
    expect(await failureOf(readBytes(Buffer.from('%PDF-1.4\nnothing else')))).toMatchObject({ reason });
    expect(await failureOf(readBytes(new Uint8Array()))).toMatchObject({ reason });
    expect(await failureOf(readBytes(writePdf([prose]).subarray(0, 600)))).toMatchObject({ reason });
  });

  test('bytes that change anywhere give a sound document or an UnreadableError', async () => {
    const original = writePdf([{ ...prose, tags: [{ type: 'P', texts: [0, 1] }], lines: [[60, 90, 300, 90]] }], {
      title: 'x',
    });
    const changes = fc.array(fc.tuple(fc.nat(original.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(changes, async (all) => {
        const bytes = Buffer.from(original);
        for (const [at, value] of all) bytes[at] = value;
        const read = await readBytes(bytes).catch((error) => {
          if (error instanceof UnreadableError) return undefined;
          throw error;
        });
        if (read !== undefined) expectSound(read.document);
      }),
      { numRuns: 100 },
    );
  });
});

describe('tags', () => {
  test('structure elements say what text is, and in which order it is read', async () => {
    const { blocks } = await readPages({
      texts: [
        { text: 'Read this last, says the file.', x: 60, y: 100 },
        { text: 'A heading that looks like text', x: 60, y: 200 },
        { text: 'Read this first, after it.', x: 60, y: 300 },
        { text: 'An item without a mark', x: 60, y: 400 },
      ],
      tags: [
        { type: 'H2', texts: [1] },
        {
          type: 'Sect',
          children: [
            { type: 'P', texts: [2] },
            { type: 'LI', texts: [3] },
            { type: 'P', texts: [0] },
          ],
        },
      ],
    });
    expect(blocks).toEqual([
      ['heading', '## A heading that looks like text'],
      ['paragraph', 'Read this first, after it.'],
      ['list-item', 'An item without a mark'],
      ['paragraph', 'Read this last, says the file.'],
    ]);
  });

  test('cells of a tagged table keep their columns', async () => {
    const words = ['Region', 'Fee', 'Days', 'North', '8', '2', 'Bulky', '15'];
    const texts = words.map((text, index) => ({ text, x: 60 + (index % 3) * 90, y: 100 + Math.floor(index / 3) * 20 }));
    const row = (type: string, ...cells: number[]) => ({
      type: 'TR',
      children: cells.map((cell) => ({ type, texts: [cell] })),
    });
    const last = {
      type: 'TR',
      children: [
        { type: 'TD', texts: [6], columnSpan: 2 },
        { type: 'TD', texts: [7] },
      ],
    };
    const { texts: rows } = await readPages({
      texts,
      tags: [{ type: 'Table', children: [row('TH', 0, 1, 2), row('TD', 3, 4, 5), last] }],
    });
    expect(rows).toEqual(['| Region: North | Fee: 8 | Days: 2 |', '| Region: Bulky | Days: 15 |']);
  });

  test('tags that call most of a page a heading, or hold little of it, are not followed', async () => {
    const lines = linesAt(60, 100, [
      'Orders placed before noon leave the warehouse',
      'on the same day, and those placed',
      'later leave it on the next one.',
    ]);
    const whole = lines.map(({ text }) => text).join(' ');
    expect((await readPages({ texts: lines, tags: [{ type: 'H1', texts: [0, 1, 2] }] })).texts).toEqual([whole]);
    expect((await readPages({ texts: lines, tags: [{ type: 'P', texts: [2] }] })).texts).toEqual([whole]);
  });

  test('text that no tag names is read at its place', async () => {
    const { texts } = await readPages({
      texts: [
        { text: 'Hotline 400-820-6179', x: 60, y: 60 },
        { text: 'The first paragraph of the page, which is tagged.', x: 60, y: 120 },
        { text: 'And the last one, which is tagged too.', x: 60, y: 180 },
      ],
      tags: [
        { type: 'P', texts: [1] },
        { type: 'P', texts: [2] },
      ],
    });
    expect(texts[0]).toBe('Hotline 400-820-6179');
    expect(texts).toHaveLength(3);
  });
});
