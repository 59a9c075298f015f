import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { type Parsed, type Parser, UnreadableError } from '../parse/parser.ts';

/** A parser under test. */
export interface ParserCase {
  create(): Promise<Parser>;
  /** A path that the parser accepts. */
  path: string;
  /** Returns a file with one document whose text holds these words: a text, or bytes if the format is not made of text. */
  fileWith(words: string): string | Uint8Array;
}

/** Returns everything that a parser yields for a file whose bytes arrive in parts of `partBytes`. */
export async function parseAll(
  parser: Parser,
  path: string,
  content: string | Uint8Array,
  partBytes = 1 << 16,
  mediaType = '',
): Promise<Parsed[]> {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  async function* parts() {
    for (let start = 0; start < bytes.byteLength; start += partBytes) yield bytes.subarray(start, start + partBytes);
  }
  const all: Parsed[] = [];
  for await (const parsed of parser.parse({ path, mediaType, sizeBytes: bytes.byteLength }, parts())) all.push(parsed);
  return all;
}

/** The contract suite of parsers. */
export function parserSuite(name: string, { create, path, fileWith }: ParserCase): void {
  describe(`the ${name} parser`, () => {
    test('says what it reads', async () => {
      const parser = await create();
      expect(parser.endings.some((ending) => path.endsWith(ending))).toBe(true);
      expect(parser.mediaTypes.length).toBeGreaterThan(0);
    });

    test('reads the same for any split of the bytes', async () => {
      const parser = await create();
      const file = fileWith('流明织物 lamps, 🪔 projectors');
      const whole = await parseAll(parser, path, file);
      expect(whole).toHaveLength(1);
      for (const partBytes of [1, 2, 3, 7]) expect(await parseAll(parser, path, file, partBytes)).toEqual(whole);
    });

    const textWith = (words: string) => fileWith(words) as string;
    const isText = typeof fileWith('') === 'string';
    const ofText = (sentence: string, body: () => Promise<void>) => isText && test(sentence, body);

    ofText('ignores a byte order mark and Windows line ends', async () => {
      const parser = await create();
      const file = textWith('one two');
      const plain = await parseAll(parser, path, file);
      expect(await parseAll(parser, path, `\uFEFF${file.replaceAll('\n', '\r\n')}`)).toEqual(plain);
    });

    ofText('reports invalid UTF-8 as corrupt', async () => {
      const parser = await create();
      const [before, after] = textWith('XX').split('XX') as [string, string];
      const file = Buffer.concat([Buffer.from(before), Buffer.from([0xff, 0xc3, 0x28]), Buffer.from(after)]);
      const reason = await parseAll(parser, path, file).then(
        ([parsed]) => (parsed?.kind === 'failure' ? parsed.failure.reason : undefined),
        (error) => (error as UnreadableError).reason,
      );
      expect(reason).toBe(ErrorReason.DOCUMENT_CORRUPT);
    });

    test('reads a line of a megabyte', async () => {
      const parser = await create();
      const words = '这是很长的一行 without an end '.repeat(40_000);
      const [parsed] = await parseAll(parser, path, fileWith(words.trim()));
      expect(parsed?.kind === 'document' && parsed.document.text.length).toBeGreaterThan(900_000);
    });

    test('removes control characters and makes text well-formed', async () => {
      const parser = await create();
      const [parsed] = await parseAll(parser, path, fileWith('a\u0001b\u0085c'));
      if (parsed?.kind !== 'document') throw new Error('no document');
      expect(parsed.document.text).toMatch(/ab\s?c/);
    });

    test('fails only with UnreadableError, and its blocks are in order inside the text', async () => {
      const parser = await create();
      const pieces = fc.constantFrom(...nasty);
      const files = fc.oneof(
        fc.array(pieces, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
        fc.uint8Array({ maxLength: 200 }),
        fc.array(pieces, { maxLength: 12 }).map((parts) => Buffer.from(fileWith(parts.join('')) as Uint8Array)),
        fc.tuple(fc.nat(), fc.nat(255)).map(([at, value]) => {
          const damaged = Buffer.from(fileWith('words') as Uint8Array);
          damaged[at % damaged.length] = value;
          return damaged;
        }),
      );
      await fc.assert(
        fc.asyncProperty(files, async (file) => {
          const all = await parseAll(parser, path, file).catch((error) => {
            if (error instanceof UnreadableError) return [];
            throw error;
          });
          for (const parsed of all) if (parsed.kind === 'document') expectSound(parsed.document);
        }),
        { numRuns: 150 },
      );
    });
  });
}

/** Expects a document that the index can take: clean text, with blocks in order that hold all of it. */
export function expectSound({ text, blocks, title }: Extract<Parsed, { kind: 'document' }>['document']): void {
  expect(text.isWellFormed()).toBe(true);
  expect(title).not.toBe('');
  let last = 0;
  for (const { start, end } of blocks) {
    expect(start).toBeGreaterThanOrEqual(last);
    expect(end).toBeGreaterThan(start);
    expect(end).toBeLessThanOrEqual(text.length);
    const piece = text.slice(start, end);
    expect(piece).toBe(piece.trim());
    last = end;
  }
  // No visible character is outside the blocks.
  const covered = blocks.reduce(
    (rest, { start, end }) => rest.slice(0, start) + ' '.repeat(end - start) + rest.slice(end),
    text,
  );
  expect(covered.trim()).toBe('');
}

/** Pieces of files that break parsers. */
const nasty = [
  '\n',
  '\r',
  '\r\n',
  ' ',
  '"',
  '""',
  ',',
  '|',
  '\\',
  '---\n',
  '---\ntitle: x\n---\n',
  '# ',
  '## 标题\n',
  '- ',
  '1. ',
  '```\n',
  '| a | b |\n|---|---|\n| 1 | 2 |\n',
  '<p>',
  '</p>',
  '<table><tr><td>',
  '<table><tr><th>h<tr><td rowspan=9 colspan=0>c',
  '</table>',
  '<ul><li>',
  '<li>',
  '<div hidden>',
  '<script>',
  '</script>',
  '<!--',
  '-->',
  '<pre> x\n  y',
  '&amp;&#0;&nbsp;',
  '{"id": "a", "text": "t"}\n',
  '{"text": "t", "groups": {}}\n',
  '{"text": ',
  '[]\n',
  'null\n',
  'text,groups\n',
  '一、总则\n',
  '🪔',
  '\uFEFF',
  '\u2028',
  '\u0000',
  'words',
  '字',
];
