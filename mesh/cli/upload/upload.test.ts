import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createFromAdapter, listAdapters } from '#kit/host/config/adapters.ts';
import { findFiles, images, readable, uploadMessages } from './upload.ts';

interface Reader {
  endings: readonly string[];
}

test('every ending that the command uploads has a parser, and the other way round', async () => {
  const folder = new URL('../../../services/indexer/adapters/parser/', import.meta.url);
  const names = listAdapters(folder);
  const parsers = await Promise.all(
    names.map((name) => createFromAdapter<Reader, object>(folder, name, {}, {}, 'indexer.parser')),
  );
  const isOld = (name: string) => name === 'legacy-office';
  const endings = parsers.flatMap(({ endings: known }, index) => (isOld(names[index] as string) ? [] : known));
  expect([...readable, ...images].sort()).toEqual([...endings].sort());
});

test('columns go with tables, an encoding with texts, and a password with files that can be encrypted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'upload-'));
  try {
    for (const name of ['a.csv', 'b.docx', 'c.md', 'd.pdf']) await writeFile(join(folder, name), 'x');
    const { files } = await findFiles([folder]);
    const headers = [];
    for await (const { part } of uploadMessages('c', files, {
      columns: { '1': 'text' },
      charset: 'gbk',
      password: 'p',
    })) {
      if (part.case === 'file')
        headers.push([part.value.path, part.value.columns, part.value.mediaType, part.value.password]);
    }
    expect(headers).toEqual([
      ['a.csv', { '1': 'text' }, 'text/plain; charset=gbk', ''],
      ['b.docx', {}, '', 'p'],
      ['c.md', {}, 'text/plain; charset=gbk', ''],
      ['d.pdf', {}, '', 'p'],
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
