import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { scenarios } from './all.ts';

test('the page has a row for every scenario, in their order, and for no other', () => {
  const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('| scenario |'), page.indexOf('`npm run mesh:lab -- '));
  const names = [...table.matchAll(/^\| (`[^|]+`) \|/gm)].flatMap((row) =>
    (row[1] ?? '').replaceAll('`', '').split(', '),
  );
  expect(names).toEqual([...scenarios.keys()]);
});
