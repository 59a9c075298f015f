import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './source-tree.ts';

// Licences of what `npm install` brings to a user, from the lock file. Optional peers, which may be copyleft, are marked as packages for development there.

/** Licences that permit use in a closed product, by their SPDX id. */
const permissive = new Set([
  ...['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT', 'MIT-0', 'Unlicense'],
  // sqlite-vec writes it so.
  'Apache',
]);

/** Packages of another licence, each with its reason. */
const exceptions: readonly RegExp[] = [
  // MPL-2.0. It minifies the styles of the console when that is built, unchanged, and is not part of what is served.
  /^lightningcss(-[a-z\d-]+)?$/,
];

/** Whether an SPDX expression can be met by permissive licences alone: each part of an AND, and one part of an OR. */
function isPermissive(expression: string): boolean {
  const plain = expression.replaceAll(/^\((.*)\)$/g, '$1');
  if (/[()]/.test(plain)) return false;
  return plain.split(' OR ').some((choice) => choice.split(' AND ').every((id) => permissive.has(id)));
}

interface LockedPackage {
  license?: string;
  dev?: boolean;
}

/** Returns the packages of a lock file that a user gets and that are neither permissive nor an exception. */
function refused(packages: Readonly<Record<string, LockedPackage>>): string[] {
  return Object.entries(packages).flatMap(([path, { license = '', dev = false }]) => {
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    if (path === '' || dev || isPermissive(license) || exceptions.some((known) => known.test(name))) return [];
    return [`${name}: ${license || 'no licence'}`];
  });
}

test('every package that users get may be used in a closed product', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  expect(Object.keys(packages).length).toBeGreaterThan(100);
  expect(refused(packages), 'make it an optional peer, or replace it (SECURITY.md, "Dependencies")').toEqual([]);
});

test('a copyleft licence, an unknown one and none are refused; a choice is not', () => {
  const of = (license?: string, dev?: boolean) =>
    refused({ 'node_modules/a/node_modules/@x/b': { ...(license && { license }), ...(dev && { dev }) } });
  for (const license of [
    'LGPL-3.0-or-later',
    'MIT AND GPL-2.0',
    'SSPL-1.0',
    '(MIT OR ISC) AND MPL-2.0',
    'SEE LICENSE IN x',
  ]) {
    expect(of(license)).toEqual([`@x/b: ${license}`]);
  }
  expect(of()).toEqual(['@x/b: no licence']);
  for (const license of ['MIT', '(AFL-2.1 OR BSD-3-Clause)', 'MIT AND ISC']) expect(of(license)).toEqual([]);
  expect(of('GPL-3.0', true)).toEqual([]);
});
