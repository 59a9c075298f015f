import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Prose, proseOfPage, proseOfProto, proseOfSource } from './prose.ts';
import ratchet from './ratchet.json' with { type: 'json' };
import { terms } from './terms.ts';

// The project is written in plain technical English (CONTRIBUTING.md, "Language").

const root = fileURLToPath(new URL('../..', import.meta.url));
const skipped =
  /(^|\/)(node_modules|dist|\.git|data|coverage|gen)\/|^deployments\/sample|^mesh\/conformance\/runs\/|^proto\/(buf|google)\//;
/** Files that name the banned words because that is their work. */
const glossaries = new Set([
  'CONTRIBUTING.md',
  'mesh/tidy/terms.ts',
  'mesh/tidy/language.test.ts',
  'mesh/tidy/prose.ts',
]);
const isTest = (path: string) => /\.(test|suite)\.tsx?$|\/(testing|suites|e2e|bench)\//.test(path);

interface Found {
  readonly folder: string;
  readonly message: string;
}

const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(ts|tsx|mjs|proto|md)$/.test(entry.name))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((path) => !skipped.test(path) && !glossaries.has(path));

const found = files.flatMap(bannedIn);

/** Returns the folder that a file counts for: a service, a part of mesh, or what is at the top. */
function folderOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return (first === 'services' || first === 'mesh') && path.split('/').length > 2 ? `${first}/${second}` : first;
}

function proseOf(path: string): Prose[] {
  const text = readFileSync(join(root, path), 'utf8');
  if (path.endsWith('.md')) return proseOfPage(text);
  return path.endsWith('.proto') ? proseOfProto(text) : proseOfSource(text, { isTest: isTest(path) });
}

function bannedIn(path: string): Found[] {
  return proseOf(path).flatMap(({ line, text }) =>
    bannedWords(text).map(([word, use]) => ({
      folder: folderOf(path),
      message: `${path}:${line} says "${word}": write ${use}`,
    })),
  );
}

function bannedWords(text: string): [word: string, use: string][] {
  return terms.flatMap(({ banned, use }) =>
    [...text.matchAll(banned)].map((match): [string, string] => [match[0], use]),
  );
}

const allowed: Readonly<Record<string, number>> = ratchet.words;

describe('the words of each folder are those of the terminology table', () => {
  test.each([...new Set(files.map(folderOf))].sort())('%s', (folder) => {
    const here = found.filter((one) => one.folder === folder).map(({ message }) => message);
    const limit = allowed[folder] ?? 0;
    if (here.length <= limit) return;
    expect.fail(
      `${here.length} words of ${folder} are not those of CONTRIBUTING.md, "Language"; allowed: ${limit}\n  ${here.join('\n  ')}`,
    );
  });
});

test('CONTRIBUTING has the table that the test checks', () => {
  const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  const rows = [...page.matchAll(/^\| ([^|]+?) \| ([^|]+?) \|$/gm)].map((row) => `${row[1]} → ${row[2]}`);
  expect(rows).toEqual(expect.arrayContaining(terms.map(({ name, use }) => `${name} → ${use}`)));
});

describe('what the test takes as prose', () => {
  const words = (prose: Prose[]) => prose.flatMap(({ text }) => bannedWords(text).map(([word]) => word));

  test('comments and messages count; code, keys and data of tests do not', () => {
    const source = "// told\nconst where = 'where'; fail('it is told here'); /** anew\n * at once */";
    expect(words(proseOfSource(source, { isTest: false }))).toEqual(['told', 'told', 'anew', 'at once']);
    const inTest = "test('the caller is told', () => ask('Where is my parcel?'));";
    expect(words(proseOfSource(inTest, { isTest: true }))).toEqual(['told']);
  });

  test('a page counts without its examples', () => {
    expect(words(proseOfPage('told\n```sh\nanew\n```\n`at once` where'))).toEqual(['told', 'where']);
  });
});
