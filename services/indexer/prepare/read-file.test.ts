import { describe, expect, test } from 'vitest';
import { ErrorReason } from '#gen/ragmesh/common/v1/errors_pb.ts';
import { NoteKind } from '#gen/ragmesh/indexer/v1/indexer_pb.ts';
import type { Parser } from '../parse/parser.ts';
import { type Found, readFile } from './read-file.ts';

// A format for tests: each line of a ".box" is a file inside of it, "name=content"; a ".word" is one document.
const box: Parser = {
  mediaTypes: ['test/box'],
  endings: ['.box'],
  isList: true,
  async *parse(_file, bytes) {
    for (const line of (await textOf(bytes)).split(';').filter(Boolean)) {
      const [path = '', content = ''] = line.split(/=(.*)/s);
      yield { kind: 'file', file: { path, mediaType: '', bytes: Buffer.from(content, 'base64url') } };
    }
  },
};
const word: Parser = {
  mediaTypes: ['test/word'],
  endings: ['.word'],
  isList: false,
  async *parse({ path }, bytes) {
    const text = await textOf(bytes);
    if (text === 'broken') throw new TypeError('a bug');
    const facts = { isPlaced: false, line: 0, url: '', language: '', groups: undefined, attributes: {} };
    const document = { ...facts, documentId: path, title: text, updatedAtMs: undefined, text, blocks: [] };
    yield { kind: 'document', document };
  },
};

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const part of bytes) text += Buffer.from(part).toString();
  return text;
}

const boxOf = (files: Record<string, string>) =>
  Object.entries(files)
    .map(([path, content]) => `${path}=${Buffer.from(content).toString('base64url')}`)
    .join(';');

async function readAll(path: string, content: string): Promise<Found[]> {
  const read = async function* () {
    yield Buffer.from(content);
  };
  const found: Found[] = [];
  const file = { path, mediaType: '', sizeBytes: content.length, read };
  for await (const part of readFile(file, [box, word])) found.push(part);
  return found;
}

describe('files inside of a file', () => {
  test('are read by their own parsers, also in archives inside, with the outer path in front', async () => {
    const found = await readAll('a.box', boxOf({ 'x.word': 'one', 'in.box': boxOf({ 'dir/y.word': 'two' }) }));
    expect(found.flatMap((part) => (part.kind === 'document' ? [part.document.documentId] : []))).toEqual([
      'a.box/x.word',
      'a.box/in.box/dir/y.word',
    ]);
    expect(found.at(-1)).toEqual({ kind: 'end', isWhole: true });
  });

  test('of an unknown kind are noted, and a broken one fails alone', async () => {
    const found = await readAll('a.box', boxOf({ 'x.exe': 'MZ', 'y.word': 'broken', 'z.word': 'good' }));
    expect(found.map((part) => part.kind)).toEqual(['note', 'failure', 'document', 'end']);
    expect(found[0]).toMatchObject({ path: 'a.box/x.exe', note: { kind: NoteKind.FILE_SKIPPED } });
    expect(found[1]).toMatchObject({ path: 'a.box/y.word', failure: { documentId: 'a.box/y.word' } });
  });

  test('that are too deep are a failure, and nothing of the archive counts as gone', async () => {
    let inner = boxOf({ 'x.word': 'deep' });
    for (let depth = 0; depth < 4; depth++) inner = boxOf({ 'b.box': inner });
    const found = await readAll('a.box', inner);
    expect(found).toMatchObject([
      { kind: 'failure', failure: { reason: ErrorReason.TOO_LARGE } },
      { kind: 'end', isWhole: false },
    ]);
  });

  test('that are too many end with one failure', async () => {
    const files = Object.fromEntries(Array.from({ length: 10_005 }, (_, index) => [`${index}.exe`, '']));
    const found = await readAll('a.box', boxOf(files));
    expect(found.filter(({ kind }) => kind === 'failure')).toHaveLength(1);
    expect(found).toHaveLength(10_002);
  });
});

test('a file that no parser reads is a failure that names the endings', async () => {
  expect(await readAll('a.exe', 'MZ')).toMatchObject([
    {
      kind: 'failure',
      failure: { reason: ErrorReason.MEDIA_TYPE_UNSUPPORTED, message: expect.stringContaining('.word') },
    },
    { kind: 'end', isWhole: false },
  ]);
});

test('a file is read as what its bytes are, if its name says another format', async () => {
  const pdf: Parser = { ...word, mediaTypes: ['application/pdf'], endings: ['.pdf'], isList: false };
  const read = async function* () {
    yield Buffer.from('%PDF-1.7 text');
  };
  const found: Found[] = [];
  const file = { path: 'a.box', mediaType: '', sizeBytes: 13, read };
  for await (const part of readFile(file, [box, pdf])) found.push(part);
  expect(found).toMatchObject([
    { kind: 'document', document: { documentId: 'a.box' } },
    { kind: 'end', isWhole: true },
  ]);
  expect(await readAll('b.word', '%PDF-1.7 text')).toMatchObject([{ kind: 'document' }, { kind: 'end' }]);
});
